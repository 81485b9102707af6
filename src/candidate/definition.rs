//! `IndexDefinition`: what an index is, as a value that can be compared, ordered, rendered and costed.
//!
//! Says nothing of names, sizes or whether the index exists; never unique (invariant 4).

use crate::catalog::{AttrNumber, Oid, Relation};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The access methods whose indexes can be simulated. Any other is refused: its cost function may open the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccessMethod {
    Btree,
    Hash,
    Brin,
    Gin,
    Gist,
    Spgist,
    /// Of contrib's bloom.
    Bloom,
    /// Of pgvector.
    Hnsw,
    /// Of pgvector.
    Ivfflat,
}

impl AccessMethod {
    pub const ALL: [AccessMethod; 9] = [
        AccessMethod::Btree,
        AccessMethod::Hash,
        AccessMethod::Brin,
        AccessMethod::Gin,
        AccessMethod::Gist,
        AccessMethod::Spgist,
        AccessMethod::Bloom,
        AccessMethod::Hnsw,
        AccessMethod::Ivfflat,
    ];

    /// The name in `pg_am`.
    pub fn name(self) -> &'static str {
        match self {
            AccessMethod::Btree => "btree",
            AccessMethod::Hash => "hash",
            AccessMethod::Brin => "brin",
            AccessMethod::Gin => "gin",
            AccessMethod::Gist => "gist",
            AccessMethod::Spgist => "spgist",
            AccessMethod::Bloom => "bloom",
            AccessMethod::Hnsw => "hnsw",
            AccessMethod::Ivfflat => "ivfflat",
        }
    }

    /// The access method of that name in `pg_am`; whether the server's is really this one is for `pg` to check.
    pub fn named(name: &str) -> Option<AccessMethod> {
        AccessMethod::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// An immutable expression over one relation's columns.
///
/// Two expressions are the same when the server deparses them alike, so only `sql` takes part in comparisons.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Expression {
    /// As the server deparses it, unqualified columns, ready for `CREATE INDEX` within parentheses.
    pub sql: String,
    /// `nodeToString` of the expression with its columns as range table entry 1.
    pub node: String,
    /// The columns it reads, ascending.
    pub columns: Vec<AttrNumber>,
    pub type_oid: Oid,
    /// `pg_type.typlen` of the result.
    pub type_length: i16,
    /// Alignment of the result in bytes.
    pub alignment: u8,
    /// Estimated stored width of the result in bytes (`get_typavgwidth` where nothing better is known).
    pub average_width: f64,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.sql == other.sql
    }
}
impl Eq for Expression {}
impl PartialOrd for Expression {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Expression {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sql.cmp(&other.sql)
    }
}
impl std::hash::Hash for Expression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.sql.hash(state);
    }
}

/// What one index column stores: a column of the relation or an expression over it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum KeyTarget {
    Column(AttrNumber),
    Expression(Expression),
}

/// The operator class of a key column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OperatorClass {
    pub oid: Oid,
    pub family: Oid,
    /// `pg_opclass.opcintype`.
    pub input_type: Oid,
    /// Quoted name for DDL (schema-qualified outside `pg_catalog`); None for the type's default class.
    pub sql_name: Option<String>,
    /// Parameters of the class (`siglen`, `n_distinct_per_range`, ...) as given, by name. DDL can only write them after a
    /// name of the class.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The collation of a key column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Collation {
    /// 0 for types without collation.
    pub oid: Oid,
    /// Quoted name for DDL; None where it is the column's own.
    pub sql_name: Option<String>,
}

/// What is indexed and how it compares, before a sort direction is chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeyPart {
    pub target: KeyTarget,
    pub operator_class: OperatorClass,
    pub collation: Collation,
}

/// A key column with its direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Key {
    pub part: KeyPart,
    pub descending: bool,
    pub nulls_first: bool,
}

/// An index that could be created.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IndexDefinition {
    pub relation: Oid,
    pub access_method: AccessMethod,
    /// Key columns in order; at least one.
    pub keys: Vec<Key>,
    /// Included (non-key) columns, ascending, none of them a key column.
    pub include: Vec<AttrNumber>,
    /// The predicate of a partial index, a conjunction that the server deparsed as one expression.
    pub predicate: Option<Expression>,
    /// Storage parameters (`fillfactor`, `pages_per_range`, ...) as given, by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

impl Key {
    /// An ascending key with NULLs last, the default of `CREATE INDEX`.
    pub fn ascending(part: KeyPart) -> Key {
        Key { part, descending: false, nulls_first: false }
    }

    /// The same key read backwards.
    pub fn reversed(&self) -> Key {
        Key { part: self.part.clone(), descending: !self.descending, nulls_first: !self.nulls_first }
    }

    /// Whether two keys put rows in the same order.
    pub fn sorts_like(&self, other: &Key) -> bool {
        self.part.compares_like(&other.part)
            && self.descending == other.descending
            && self.nulls_first == other.nulls_first
    }
}

impl KeyPart {
    /// Whether an index on one answers for the other: the same value, compared by the same operator family and
    /// collation. Aliases of an operator class (`varchar_ops` for `text_ops`) share their family.
    pub fn compares_like(&self, other: &KeyPart) -> bool {
        self.target == other.target
            && self.operator_class.family == other.operator_class.family
            && self.collation.oid == other.collation.oid
    }
}

impl KeyTarget {
    /// The columns read to compute this key.
    pub fn columns(&self) -> &[AttrNumber] {
        match self {
            KeyTarget::Column(number) => std::slice::from_ref(number),
            KeyTarget::Expression(expression) => &expression.columns,
        }
    }
}

impl IndexDefinition {
    /// The expressions among its keys, in order.
    pub fn key_expressions(&self) -> impl Iterator<Item = &Expression> {
        self.keys.iter().filter_map(|key| match &key.part.target {
            KeyTarget::Expression(expression) => Some(expression),
            KeyTarget::Column(_) => None,
        })
    }

    /// Columns whose plain value the index stores, key or included.
    pub fn stored_columns(&self) -> impl Iterator<Item = AttrNumber> + '_ {
        let keys = self.keys.iter().filter_map(|key| match key.part.target {
            KeyTarget::Column(number) => Some(number),
            KeyTarget::Expression(_) => None,
        });
        keys.chain(self.include.iter().copied())
    }

    /// Whether `self` gives nothing that `other` does not give already: its keys are a prefix of the other's, in the
    /// same or the wholly reversed direction (a btree is read both ways), its included columns are stored there too,
    /// and its predicate is the other's.
    ///
    /// A full index stands in for a partial one only where the predicate speaks of key columns alone: then the keys
    /// find the same rows. Otherwise the partial index is more: its predicate filters rows that the full one must
    /// fetch.
    pub fn is_served_by(&self, other: &IndexDefinition) -> bool {
        if self.relation != other.relation
            || self.access_method != other.access_method
            || self.keys.len() > other.keys.len()
            || !self.predicate_is_served_by(other)
        {
            return false;
        }
        let pairs = || self.keys.iter().zip(&other.keys);
        let forward = pairs().all(|(a, b)| a.sorts_like(b));
        let backward = pairs().all(|(a, b)| a.sorts_like(&b.reversed()));
        (forward || backward) && self.include.iter().all(|column| other.stores(*column))
    }

    /// Whether `other` holds at least the rows that make `self` what it is: the same predicate, or all rows where the
    /// keys of `self` already say what its predicate says.
    pub fn predicate_is_served_by(&self, other: &IndexDefinition) -> bool {
        match (&self.predicate, &other.predicate) {
            (Some(own), None) => own
                .columns
                .iter()
                .all(|column| self.keys.iter().any(|key| key.part.target == KeyTarget::Column(*column))),
            (own, others) => own == others,
        }
    }

    /// Whether the index stores the plain value of a column, as a key or included.
    pub fn stores(&self, column: AttrNumber) -> bool {
        self.stored_columns().any(|stored| stored == column)
    }

    /// `CREATE INDEX` for this definition, without a name so that the server chooses one.
    ///
    /// `concurrently` is ignored for a partitioned table, which cannot be indexed that way.
    pub fn create_statement(&self, relation: &Relation, concurrently: bool) -> String {
        use crate::catalog::RelationKind;
        let concurrently = if concurrently && relation.kind != RelationKind::PartitionedTable {
            "CONCURRENTLY "
        } else {
            ""
        };
        let mut sql = format!("CREATE INDEX {concurrently}ON {}", relation.sql_name);
        if self.access_method != AccessMethod::Btree {
            sql.push_str(&format!(" USING {}", self.access_method.name()));
        }
        let keys: Vec<String> = self.keys.iter().map(|key| key.sql(relation)).collect();
        sql.push_str(&format!(" ({})", keys.join(", ")));
        if !self.include.is_empty() {
            let columns: Vec<&str> =
                self.include.iter().map(|number| column_sql_name(relation, *number)).collect();
            sql.push_str(&format!(" INCLUDE ({})", columns.join(", ")));
        }
        if !self.parameters.is_empty() {
            sql.push_str(&format!(" WITH ({})", assignments(&self.parameters)));
        }
        if let Some(predicate) = &self.predicate {
            sql.push_str(&format!(" WHERE {}", predicate.sql));
        }
        sql
    }
}

impl Key {
    fn sql(&self, relation: &Relation) -> String {
        let mut sql = match &self.part.target {
            KeyTarget::Column(number) => column_sql_name(relation, *number).to_string(),
            KeyTarget::Expression(expression) => format!("({})", expression.sql),
        };
        if let Some(name) = &self.part.collation.sql_name {
            sql.push_str(&format!(" COLLATE {name}"));
        }
        let class = &self.part.operator_class;
        if let Some(name) = &class.sql_name {
            sql.push_str(&format!(" {name}"));
        }
        if !class.options.is_empty() {
            sql.push_str(&format!(" ({})", assignments(&class.options)));
        }
        sql.push_str(match (self.descending, self.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
        sql
    }
}

/// Parameters as DDL writes them; values as literals quoted as the standard says.
fn assignments(parameters: &BTreeMap<String, String>) -> String {
    let all = parameters.iter().map(|(name, value)| format!("{name} = '{}'", value.replace('\'', "''")));
    all.collect::<Vec<String>>().join(", ")
}

/// The quoted name of a column; a dropped column has none.
fn column_sql_name(relation: &Relation, number: AttrNumber) -> &str {
    relation.column(number).map_or("?", |column| column.sql_name.as_str())
}
