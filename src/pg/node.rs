//! Walking PostgreSQL's node trees: lists, tags, casts.

use pgrx::pg_sys;
use pgrx::prelude::*;

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

/// Every node of a kind in an expression, outermost first; does not look inside the ones found.
///
/// # Safety
/// `expr` must be NULL or a valid expression tree, and `T` the struct of `tag`.
pub unsafe fn find<T>(expr: *mut pg_sys::Node, tag: pg_sys::NodeTag) -> Vec<*mut T> {
    let mut search = Search { tags: &[tag], first_only: false, found: Vec::new() };
    unsafe { visit(expr, (&raw mut search).cast()) };
    search.found.into_iter().map(|node| node.cast()).collect()
}

/// Whether a node of one of the kinds stands in the expression.
///
/// # Safety
/// `expr` must be NULL or a valid expression tree.
pub unsafe fn any_of(expr: *mut pg_sys::Node, tags: &[pg_sys::NodeTag]) -> bool {
    let mut search = Search { tags, first_only: true, found: Vec::new() };
    unsafe { visit(expr, (&raw mut search).cast()) }
}

struct Search<'a> {
    tags: &'a [pg_sys::NodeTag],
    first_only: bool,
    found: Vec<*mut pg_sys::Node>,
}

/// Guarded: an error (stack depth, say) must not unwind through the walker's C frames, which would leave
/// PG_exception_stack pointing into them.
#[pg_guard]
unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, search: *mut std::ffi::c_void) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        let state = &mut *search.cast::<Search<'_>>();
        if state.tags.contains(&(*node).type_) {
            state.found.push(node);
            return state.first_only;
        }
        super::compat::expression_tree_walker(node, visit, search)
    }
}

/// The Params of the kind that callers supply (`$1`) in an expression.
///
/// # Safety
/// `expr` must be NULL or a valid expression tree.
pub unsafe fn extern_params(expr: *mut pg_sys::Node) -> Vec<*mut pg_sys::Param> {
    unsafe {
        let mut params = find::<pg_sys::Param>(expr, pg_sys::NodeTag::T_Param);
        params.retain(|param| (**param).paramkind == pg_sys::ParamKind::PARAM_EXTERN);
        params
    }
}
