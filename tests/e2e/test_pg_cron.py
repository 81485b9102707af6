"""Jobs by pg_cron: in its own database, and for another. Debian has pg_cron for 15; it starts jobs on whole minutes, so
everything waits for the same minute."""

import jobs
import psycopg
import pytest
import shop
from test_schedule import schedule

# A minute until the jobs come, and some seconds for them.
PATIENCE = 75


@pytest.fixture(scope="module")
def cron(server):
    if not server.installation.has_extension("pg_cron"):
        pytest.skip(f"there is no pg_cron for {server.installation.version} (Debian: postgresql-15-cron)")
    settings = {
        "shared_preload_libraries": "pg_stat_statements,pg_cron",
        "cron.database_name": "scheduler",
        "cron.use_background_workers": "on",
    }
    with jobs.preloading(server.installation, "cron", **settings) as running:
        jobs.create(running, "scheduler")
        jobs.create(running, "elsewhere")
        yield running


def test_by_pg_cron(cron):
    with cron.connect("scheduler") as here, cron.connect("elsewhere") as there:
        # Not created yet: the error says what is missing.
        answer = shop.ask(here, "schedule('* * * * *')")
        assert answer.state == "55000" and "CREATE EXTENSION pg_cron" in answer.words
        notices = []
        there.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        # A schema of that name is not pg_cron, and what is in it is not called.
        here.execute("CREATE SCHEMA cron; CREATE TABLE caught (who text)")
        here.execute(
            "CREATE FUNCTION cron.schedule_in_database(text, text, text, text, text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.caught VALUES ($5)'"
        )
        assert 'once it is told in database "scheduler"' in schedule(there, "* * * * *")
        assert "not created there" in notices.pop()
        assert here.execute("SELECT count(*) FROM caught").fetchone() == (0,)
        here.execute("DROP SCHEMA cron CASCADE")
        here.execute("CREATE EXTENSION pg_cron")
        # What pg_cron cannot do is not given to it.
        for text, arguments in (("* * * * * *", {}), ("0 3 L * *", {}), ("0 3 * * *", {"time_zone": "Asia/Tokyo"})):
            with pytest.raises(psycopg.errors.InvalidParameterValue) as refusal:
                schedule(here, text, **arguments)
            assert "pg_cron" in str(refusal.value)
        # Quotes in names reach neither more nor less than the name.
        said = schedule(here, "* * * * *", name="it's", max_indexes=1)
        assert "(GMT), by pg_cron" in said
        known = "SELECT schedule, command, database, username FROM cron.job WHERE jobname LIKE %s"
        assert here.execute(known, ("%it's",)).fetchall() == [
            ("* * * * *", "SELECT index_advisor.run_job('it''s')", "scheduler", "postgres")
        ]
        # Again is no second job.
        schedule(here, "* * * * *", name="it's")
        assert len(here.execute(known, ("%it's",)).fetchall()) == 1
        # From another database.
        assert 'by pg_cron, which keeps it in database "scheduler"' in schedule(there, "* * * * *")
        of_elsewhere = "SELECT schedule, command, username FROM cron.job WHERE database = 'elsewhere'"
        assert here.execute(of_elsewhere).fetchall() == [("* * * * *", "SELECT index_advisor.run_job('advice')", "postgres")]
        assert there.execute("SELECT index_advisor.unschedule()").fetchone() == (True,)
        assert here.execute(of_elsewhere).fetchall() == []
        # Whoever may not write there is told the statement for somebody who may.
        there.execute("CREATE ROLE tuner LOGIN")
        there.execute("GRANT USAGE ON SCHEMA index_advisor TO tuner")
        there.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA index_advisor TO tuner")
        there.execute("GRANT pg_read_all_stats TO tuner")
        there.execute("SET ROLE tuner")
        assert notices == []
        assert 'once it is told in database "scheduler"' in schedule(there, "* * * * *")
        there.execute("RESET ROLE")
        assert "permission denied" in notices[0]
        here.execute(notices[0][notices[0].index("SELECT cron.") :])
        # One that fails: its role may not run it.
        schedule(here, "* * * * *", name="broken")
        here.execute("CREATE ROLE poor LOGIN")
        here.execute("UPDATE cron.job SET username = 'poor' WHERE jobname LIKE '%broken'")
        jobs.status(there, "succeeded", patience=PATIENCE)
        jobs.status(here, "succeeded", "it's", patience=PATIENCE)
        assert jobs.runs(here) >= 1 and jobs.runs(there) >= 1
        assert here.execute("SELECT DISTINCT made_by, job FROM index_advisor.runs").fetchall() == [("postgres", "it's")]
        next_start = jobs.row(here, "it's")["next_start"]
        assert next_start > here.execute("SELECT now()").fetchone()[0] - jobs.MINUTE
        details = "SELECT status, return_message FROM cron.job_run_details WHERE command LIKE %s"
        failed = jobs.until(lambda: here.execute(details + " AND status = 'failed'", ("%broken%",)).fetchone(), "the failure")
        assert "permission denied" in failed[1]
        assert here.execute("SELECT index_advisor.unschedule('it''s')").fetchone() == (True,)
        assert here.execute(known, ("%it's",)).fetchall() == []
        assert there.execute("SELECT index_advisor.unschedule()").fetchone() == (True,)
        assert here.execute(of_elsewhere).fetchall() == []
