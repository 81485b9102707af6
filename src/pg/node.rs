//! Walking PostgreSQL's node trees: lists, tags, casts.
//!
//! # Safety
//!
//! All of it takes NULL or valid nodes of this backend, which nothing changes meanwhile.

use crate::catalog::Oid;
use pgrx::pg_sys;

/// The pointers of a List; nothing for NIL.
///
/// # Safety
/// `list` must be NIL or a valid pointer List whose members are `T`, unchanged while iterated.
pub unsafe fn list<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    let length = if list.is_null() { 0 } else { unsafe { (*list).length } };
    (0..length as usize).map(move |i| unsafe { (*(*list).elements.add(i)).ptr_value.cast::<T>() })
}

/// # Safety
/// `node` must be NULL or point to a valid Node.
pub unsafe fn is_a<T>(node: *const T, tag: pg_sys::NodeTag) -> bool {
    !node.is_null() && unsafe { (*node.cast::<pg_sys::Node>()).type_ } == tag
}

/// # Safety
/// `node` must be NULL or point to a valid Node.
pub unsafe fn tag<T>(node: *const T) -> Option<pg_sys::NodeTag> {
    (!node.is_null()).then(|| unsafe { (*node.cast::<pg_sys::Node>()).type_ })
}

/// The scans of indexes that a scan of one relation is made of: itself, or the parts of its bitmap.
///
/// # Safety
/// `path` must be NULL or a valid path.
pub unsafe fn index_paths(path: *mut pg_sys::Path) -> Vec<*mut pg_sys::IndexPath> {
    use pg_sys::NodeTag::*;
    unsafe {
        let parts = match tag(path) {
            Some(T_IndexPath) => return vec![path.cast()],
            Some(T_BitmapHeapPath) => {
                return index_paths((*path.cast::<pg_sys::BitmapHeapPath>()).bitmapqual);
            }
            Some(T_BitmapAndPath) => (*path.cast::<pg_sys::BitmapAndPath>()).bitmapquals,
            Some(T_BitmapOrPath) => (*path.cast::<pg_sys::BitmapOrPath>()).bitmapquals,
            _ => return Vec::new(),
        };
        list(parts).flat_map(|part| index_paths(part)).collect()
    }
}

/// The members of a Bitmapset.
///
/// # Safety
/// `set` must be NULL or a valid Bitmapset, unchanged while iterated.
pub unsafe fn members(set: *const pg_sys::Bitmapset) -> impl Iterator<Item = i32> {
    let mut last = -1;
    std::iter::from_fn(move || {
        last = unsafe { pg_sys::bms_next_member(set, last) };
        (last >= 0).then_some(last)
    })
}

/// Drops binary-compatible casts around an expression, as match_index_to_operand (indxpath.c) does.
///
/// # Safety
/// `expr` must be NULL or a valid expression tree.
pub unsafe fn strip_relabel(mut expr: *mut pg_sys::Node) -> *mut pg_sys::Node {
    unsafe {
        while is_a(expr, pg_sys::NodeTag::T_RelabelType) {
            expr = (*expr.cast::<pg_sys::RelabelType>()).arg.cast();
        }
        expr
    }
}

/// The conditions that hold one side of a join against the other, those among them that its inner side looks rows up by.
///
/// # Safety
/// `join` must be a valid path.
pub unsafe fn join_clauses(join: *mut pg_sys::JoinPath) -> impl Iterator<Item = *mut pg_sys::RestrictInfo> {
    unsafe {
        let (outer, inner) = ((*join).outerjoinpath, (*join).innerjoinpath);
        let param = (*inner).param_info;
        let looked_up = if param.is_null() { std::ptr::null_mut() } else { (*param).ppi_clauses };
        let (outer, inner) = ((*(*outer).parent).relids, (*(*inner).parent).relids);
        list::<pg_sys::RestrictInfo>((*join).joinrestrictinfo).chain(list(looked_up)).filter(move |clause| {
            let relations = (**clause).clause_relids;
            pg_sys::bms_overlap(relations, outer) && pg_sys::bms_overlap(relations, inner)
        })
    }
}

/// Every node of one of the kinds in an expression or query, outermost first; does not look inside the ones found.
///
/// # Safety
/// `root` must be NULL or a valid expression or query tree, and `T` the struct of all the `tags`.
pub unsafe fn find<T>(root: *mut pg_sys::Node, tags: &[pg_sys::NodeTag]) -> Vec<*mut T> {
    unsafe { nodes(root, tags, usize::MAX) }.into_iter().map(|node| node.cast()).collect()
}

/// Whether a node of one of the kinds stands in the expression or query.
///
/// # Safety
/// `root` must be NULL or a valid expression or query tree.
pub unsafe fn any_of(root: *mut pg_sys::Node, tags: &[pg_sys::NodeTag]) -> bool {
    unsafe { !nodes(root, tags, 1).is_empty() }
}

/// The first `most` of the nodes that `find` finds.
///
/// Keeps its own stack: an expression may be nested nearly as deep as the server's stack allows, and an error must not
/// travel through frames of ours and the walker's in turn.
unsafe fn nodes(root: *mut pg_sys::Node, tags: &[pg_sys::NodeTag], most: usize) -> Vec<*mut pg_sys::Node> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        let Some(tag) = (unsafe { self::tag(node) }) else { continue };
        if tags.contains(&tag) {
            found.push(node);
            if found.len() >= most {
                break;
            }
        } else {
            let start = open.len();
            unsafe { children(node, tag, &mut open) };
            open[start..].reverse();
        }
    }
    found
}

/// Appends the direct children of a node; range table entries come before what they hold.
unsafe fn children(node: *mut pg_sys::Node, tag: pg_sys::NodeTag, children: &mut Vec<*mut pg_sys::Node>) {
    /// Calls nothing that can raise, so it needs no guard.
    unsafe extern "C-unwind" fn note(child: *mut pg_sys::Node, children: *mut std::ffi::c_void) -> bool {
        unsafe { (*children.cast::<Vec<*mut pg_sys::Node>>()).push(child) };
        false
    }
    let context = (children as *mut Vec<*mut pg_sys::Node>).cast();
    unsafe {
        match tag {
            // What it holds was noted along with it.
            pg_sys::NodeTag::T_RangeTblEntry => {}
            pg_sys::NodeTag::T_Query => {
                let flags = pg_sys::QTW_EXAMINE_RTES_BEFORE as i32;
                pg_sys::query_tree_walker(node.cast(), Some(note), context, flags);
            }
            _ => {
                pg_sys::expression_tree_walker(node, Some(note), context);
            }
        }
    }
}

/// The Params of the kind that callers supply (`$1`) in an expression.
///
/// # Safety
/// `expr` must be NULL or a valid expression tree.
pub unsafe fn extern_params(expr: *mut pg_sys::Node) -> Vec<*mut pg_sys::Param> {
    unsafe {
        let mut params = find::<pg_sys::Param>(expr, &[pg_sys::NodeTag::T_Param]);
        params.retain(|param| (**param).paramkind == pg_sys::ParamKind::PARAM_EXTERN);
        params
    }
}

/// Every relation in the range tables of the queries, at any depth, with the lock that its use needs.
///
/// # Safety
/// The queries must be valid trees.
pub unsafe fn relations(queries: &[*mut pg_sys::Query]) -> Vec<(Oid, pg_sys::LOCKMODE)> {
    let mut found: Vec<(Oid, pg_sys::LOCKMODE)> = queries
        .iter()
        .flat_map(|query| unsafe {
            find::<pg_sys::RangeTblEntry>((*query).cast(), &[pg_sys::NodeTag::T_RangeTblEntry])
        })
        // From version 16 on a view's entry keeps its OID beside the sub-query.
        .map(|entry| unsafe { ((*entry).relid, (*entry).rellockmode) })
        .filter(|(relation, _)| *relation != pg_sys::InvalidOid)
        .map(|(relation, mode)| (relation.to_u32(), mode.max(pg_sys::AccessShareLock as i32)))
        .collect();
    found.sort();
    found.dedup();
    found
}
