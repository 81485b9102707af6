//! Representative values for `$n`: taken from column statistics, at several levels of selectivity.
//!
//! Values stay inside the server: they are bound for planning and never shown.
//!
//! # Safety
//!
//! `texts` takes a slot that get_attstatsslot filled and that is not yet freed.

use super::scalar::owned;
use crate::catalog::{AttrNumber, Oid};
use pgrx::pg_sys;
use std::rc::Rc;

/// How a parameter is compared with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    AnyOf,
    /// The column is below the parameter.
    Below,
    /// The column is above the parameter.
    Above,
    Pattern,
}

/// One comparison of a parameter with a column.
#[derive(Clone, Debug)]
pub struct ParameterUse {
    pub number: u32,
    pub relation: Oid,
    pub column: AttrNumber,
    pub comparison: Comparison,
    /// The parameter itself is compared, not an expression over it.
    pub direct: bool,
    pub values: Rc<ColumnValues>,
}

/// Values of a column from its statistics, as text.
#[derive(Debug, Default)]
pub struct ColumnValues {
    /// Most common first.
    common: Vec<String>,
    /// Share of rows that hold one of the common values.
    common_share: f64,
    /// Ascending.
    histogram: Vec<String>,
}

/// What matters of a parameter's type for choosing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Array,
    Interval,
    Text,
    Other,
}

impl Shape {
    /// The shape of a type.
    pub fn of(type_oid: Oid) -> Shape {
        match pg_sys::Oid::from(type_oid) {
            pg_sys::INTERVALOID => Shape::Interval,
            pg_sys::TEXTOID => Shape::Text,
            // SAFETY: catalog look-up by a type's OID.
            other if unsafe { pg_sys::get_element_type(other) } != pg_sys::InvalidOid => Shape::Array,
            _ => Shape::Other,
        }
    }
}

/// What the statement says of its parameters apart from comparisons.
#[derive(Clone, Debug, Default)]
pub struct Roles<'a> {
    pub limits: &'a [u32],
    pub offsets: &'a [u32],
    pub rows_per_call: Option<f64>,
}

/// Share of a column's rows that a range predicate selects, by level. The middle one is what a database of any size
/// plausibly asks for; the others give the measured rows per call something to choose from.
const RANGE_SHARES: [f64; 5] = [0.001, 0.01, 0.1, 0.3, 0.9];
/// Elements of an array compared by `= ANY`, by level.
const ARRAY_LENGTHS: [usize; 5] = [1, 3, 10, 20, 50];
/// Lengths of time subtracted from now and the like, by level.
const INTERVALS: [&str; 5] = ["1 hour", "1 day", "7 days", "30 days", "365 days"];
/// LIMIT where nothing was measured.
const DEFAULT_LIMIT: f64 = 10.0;
/// Longer values are not worth copying (and would not be in an index).
const MAX_VALUE_BYTES: usize = 1000;

/// Levels in the order in which ties between them are decided: the typical one first.
pub const LEVELS: [usize; 5] = [2, 1, 3, 0, 4];

/// A text value for every parameter that can be given one, at a level of selectivity; index 0 is `$1`.
pub fn values(
    uses: &[ParameterUse],
    shapes: &[Shape],
    roles: &Roles<'_>,
    level: usize,
) -> Vec<Option<String>> {
    (1..=shapes.len() as u32)
        .map(|number| {
            if roles.limits.contains(&number) {
                let rows = roles.rows_per_call.filter(|rows| *rows > 0.0).unwrap_or(DEFAULT_LIMIT);
                return Some(format!("{:.0}", rows.ceil().max(1.0)));
            }
            if roles.offsets.contains(&number) {
                return Some("0".to_string());
            }
            let position = uses.iter().position(|u| u.number == number)?;
            value(uses, position, shapes[number as usize - 1], level)
        })
        .collect()
}

fn value(uses: &[ParameterUse], position: usize, shape: Shape, level: usize) -> Option<String> {
    let used = &uses[position];
    let values = &used.values;
    if !used.direct && used.comparison != Comparison::AnyOf {
        return match shape {
            Shape::Interval => Some(INTERVALS[level].to_string()),
            Shape::Text => None,
            _ => range_value(uses, used, level),
        };
    }
    match used.comparison {
        Comparison::Pattern => None,
        Comparison::Equal => values.single(level).map(str::to_string),
        Comparison::AnyOf => {
            if shape == Shape::Array {
                return values.array(ARRAY_LENGTHS[level]);
            }
            // Elements of one list get different values.
            let ordinal = uses[..position]
                .iter()
                .filter(|u| {
                    (u.relation, u.column, u.comparison) == (used.relation, used.column, used.comparison)
                })
                .count();
            values.distinct(ordinal).map(str::to_string)
        }
        Comparison::Below | Comparison::Above => range_value(uses, used, level),
    }
}

/// A bound such that the column's range (both bounds together where there are two) selects about the level's share.
fn range_value(uses: &[ParameterUse], used: &ParameterUse, level: usize) -> Option<String> {
    let share = RANGE_SHARES[level];
    let opposite = match used.comparison {
        Comparison::Below => Comparison::Above,
        _ => Comparison::Below,
    };
    let two_sided = uses.iter().any(|u| {
        (u.relation, u.column, u.comparison) == (used.relation, used.column, opposite)
            && u.number != used.number
    });
    let quantile = match (used.comparison, two_sided) {
        (Comparison::Below, true) => 0.5 + share / 2.0,
        (Comparison::Below, false) => share,
        (Comparison::Above, true) => 0.5 - share / 2.0,
        _ => 1.0 - share,
    };
    used.values.quantile(quantile)
}

impl ColumnValues {
    /// Values fit for an equality, from rare (level 0) to common.
    fn single(&self, level: usize) -> Option<&str> {
        let uncommon = self.histogram.get(self.histogram.len() / 2).or(self.common.last());
        let typical = if self.common_share > 0.5 { self.common.get(self.common.len() / 2) } else { uncommon };
        let chosen = match level {
            0 | 1 => uncommon,
            2 => typical,
            3 => self.common.get(self.common.len() / 4).or(uncommon),
            _ => self.common.first().or(uncommon),
        };
        chosen.map(String::as_str)
    }

    fn distinct(&self, ordinal: usize) -> Option<&str> {
        let all = self.common.len() + self.histogram.len();
        (all > 0).then(|| {
            let i = ordinal % all;
            match i.checked_sub(self.histogram.len()) {
                None => self.histogram[i].as_str(),
                Some(i) => self.common[i].as_str(),
            }
        })
    }

    fn array(&self, length: usize) -> Option<String> {
        let available = self.common.len() + self.histogram.len();
        let elements: Vec<String> = (0..length.min(available))
            .filter_map(|i| self.distinct(i))
            .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        (!elements.is_empty()).then(|| format!("{{{}}}", elements.join(",")))
    }

    /// The value below which about the given share of rows lies.
    fn quantile(&self, share: f64) -> Option<String> {
        if self.histogram.len() > 1 {
            let position = (share.clamp(0.0, 1.0) * (self.histogram.len() - 1) as f64).round();
            return Some(self.histogram[position as usize].clone());
        }
        // Few distinct values: all are common ones, in no order that we can rely on but that of numbers.
        let mut numbers: Vec<(f64, &String)> =
            self.common.iter().filter_map(|value| Some((value.parse().ok()?, value))).collect();
        if numbers.len() != self.common.len() {
            let mut sorted: Vec<&String> = self.common.iter().collect();
            sorted.sort();
            let position = (share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64).round();
            return sorted.get(position as usize).map(|value| (*value).clone());
        }
        numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
        let position = (share.clamp(0.0, 1.0) * numbers.len().saturating_sub(1) as f64).round();
        numbers.get(position as usize).map(|(_, value)| (*value).clone())
    }
}

/// Common values and histogram of a column from `pg_statistic`; empty where there are none.
///
/// # Safety
/// Within a transaction; the current role must be allowed to read the column.
pub(super) unsafe fn column_values(relation: pg_sys::Oid, column: AttrNumber) -> Rc<ColumnValues> {
    unsafe {
        let mut values = ColumnValues::default();
        // A partitioned table has statistics of its whole tree only.
        let inherited = pg_sys::get_rel_relkind(relation) as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
        let tuple = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::STATRELATTINH as i32,
            relation.into(),
            (column as usize).into(),
            inherited.into(),
        );
        if tuple.is_null() {
            return Rc::new(values);
        }
        let mut slot = pg_sys::AttStatsSlot::default();
        let flags = pg_sys::ATTSTATSSLOT_VALUES | pg_sys::ATTSTATSSLOT_NUMBERS;
        let kind = pg_sys::STATISTIC_KIND_MCV as i32;
        if pg_sys::get_attstatsslot(&mut slot, tuple, kind, pg_sys::InvalidOid, flags as i32) {
            values.common = texts(&slot);
            values.common_share = (0..slot.nnumbers as usize).map(|i| f64::from(*slot.numbers.add(i))).sum();
            pg_sys::free_attstatsslot(&mut slot);
        }
        let kind = pg_sys::STATISTIC_KIND_HISTOGRAM as i32;
        let flags = pg_sys::ATTSTATSSLOT_VALUES as i32;
        if pg_sys::get_attstatsslot(&mut slot, tuple, kind, pg_sys::InvalidOid, flags) {
            values.histogram = texts(&slot);
            pg_sys::free_attstatsslot(&mut slot);
        }
        pg_sys::ReleaseSysCache(tuple);
        Rc::new(values)
    }
}

unsafe fn texts(slot: &pg_sys::AttStatsSlot) -> Vec<String> {
    unsafe {
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(slot.valuetype, &mut output, &mut is_varlena);
        (0..slot.nvalues as usize)
            .filter_map(|i| owned(pg_sys::OidOutputFunctionCall(output, *slot.values.add(i))))
            .filter(|text| text.len() <= MAX_VALUE_BYTES)
            .collect()
    }
}

/// Turns texts into a parameter list in the current memory context; parameters without a value stay open.
///
/// Raises what the types' input functions raise.
///
/// # Safety
/// Within a transaction. The list lives as long as the current memory context.
pub(super) unsafe fn bind(texts: &[Option<String>], types: &[Oid]) -> pg_sys::ParamListInfo {
    unsafe {
        let list = pg_sys::makeParamList(types.len() as i32);
        let params = (&raw mut (*list).params).cast::<pg_sys::ParamExternData>();
        for (i, (text, type_oid)) in texts.iter().zip(types).enumerate() {
            let param = params.add(i);
            // Without a type the planner leaves the parameter alone (eval_const_expressions, clauses.c).
            *param = pg_sys::ParamExternData::default();
            let Some(text) = text.as_deref().and_then(|text| std::ffi::CString::new(text).ok()) else {
                continue;
            };
            let (mut input, mut io_type) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo((*type_oid).into(), &mut input, &mut io_type);
            (*param).value = pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), io_type, -1);
            (*param).pflags = pg_sys::PARAM_FLAG_CONST as u16;
            (*param).ptype = (*type_oid).into();
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(common: &[&str], share: f64, histogram: &[&str]) -> Rc<ColumnValues> {
        let own = |values: &[&str]| values.iter().map(|value| value.to_string()).collect();
        Rc::new(ColumnValues { common: own(common), common_share: share, histogram: own(histogram) })
    }

    fn used(number: u32, comparison: Comparison, values: &Rc<ColumnValues>) -> ParameterUse {
        ParameterUse { number, relation: 1, column: 1, comparison, direct: true, values: values.clone() }
    }

    #[test]
    fn two_bounds_on_one_column_close_in_around_the_middle() {
        let texts: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
        let values = column(&[], 0.0, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        let uses = [used(1, Comparison::Above, &values), used(2, Comparison::Below, &values)];
        let bound = super::values(&uses, &[Shape::Other; 2], &Roles::default(), 2);
        assert_eq!(bound, [Some("45".to_string()), Some("55".to_string())]);
    }

    #[test]
    fn limit_follows_the_measured_rows() {
        let roles = Roles { limits: &[1], offsets: &[2], rows_per_call: Some(19.2) };
        assert_eq!(
            super::values(&[], &[Shape::Other; 2], &roles, 0),
            [Some("20".to_string()), Some("0".to_string())]
        );
    }

    #[test]
    fn a_dominant_value_is_common_and_not_typical() {
        let values = column(&["done", "open", "new"], 0.9, &[]);
        let uses = [used(1, Comparison::Equal, &values)];
        assert_eq!(super::values(&uses, &[Shape::Text], &Roles::default(), 4), [Some("done".to_string())]);
        assert_eq!(super::values(&uses, &[Shape::Text], &Roles::default(), 0), [Some("new".to_string())]);
    }

    #[test]
    fn numbers_without_histogram_are_ordered_as_numbers() {
        let values = column(&["9", "10", "100"], 1.0, &[]);
        assert_eq!(values.quantile(1.0), Some("100".to_string()));
        assert_eq!(values.quantile(0.0), Some("9".to_string()));
    }

    #[test]
    fn a_pattern_is_never_guessed() {
        let values = column(&["abc"], 0.1, &["a", "b"]);
        let uses = [used(1, Comparison::Pattern, &values)];
        assert_eq!(super::values(&uses, &[Shape::Text], &Roles::default(), 2), [None]);
    }
}
