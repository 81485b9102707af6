-- The tables that the statements of statement_texts.jsonl and normalized_statements.sql read.
create table o(id int, c timestamptz, d date, t text, u uuid, n numeric, j jsonb, a int[], b bool, i interval);
create extension if not exists pg_trgm;
create table "User"("Id" int primary key, "Email Address" text, "say ""hi""" text, "ünï" text, created_at timestamp, tags text[], meta jsonb, org_id bigint, active bool);
create table users(id bigint primary key, email text, name varchar(80), org_id int, created_at timestamp, updated_at timestamptz, deleted_at timestamp, meta jsonb, tags text[], status smallint, uid uuid, balance numeric(12,2), period daterange, ip inet, tsv tsvector);
create table posts(id bigint primary key, user_id bigint, title text, body text, published_on date, views int, score float8, state varchar);
create table django_content_type(id int, app_label varchar(100), model varchar(100));
create schema shop; create table shop."Order"(id bigint primary key, customer_id int, total numeric, placed_at timestamptz, kind "char");
create type shop.money2 as (a int); create domain shop.cents as int;
