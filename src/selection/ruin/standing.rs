//! `Standing`: a set of candidates on the ground.

/// A set of items with what it saves.
pub(super) struct Standing {
    /// Positions among the items, in no order.
    pub(super) members: Vec<usize>,
    pub(super) is_member: Vec<bool>,
    /// By number of a plan: its items that are not there.
    pub(super) missing: Vec<u16>,
    pub(super) on_table: Vec<usize>,
    pub(super) bytes: u64,
    /// By statement: where the plan that is chosen stands among its ranked ones, ...
    pub(super) chosen: Vec<usize>,
    /// ... and what it saves, milliseconds a day.
    pub(super) savings: Vec<f64>,
    /// Net of write costs, milliseconds a day.
    pub(super) net: f64,
}

impl Clone for Standing {
    fn clone(&self) -> Standing {
        Standing {
            members: self.members.clone(),
            is_member: self.is_member.clone(),
            missing: self.missing.clone(),
            on_table: self.on_table.clone(),
            chosen: self.chosen.clone(),
            savings: self.savings.clone(),
            ..*self
        }
    }

    /// A run makes thousands of copies, each where the one before was.
    fn clone_from(&mut self, other: &Standing) {
        self.members.clone_from(&other.members);
        self.is_member.clone_from(&other.is_member);
        self.missing.clone_from(&other.missing);
        self.on_table.clone_from(&other.on_table);
        self.chosen.clone_from(&other.chosen);
        self.savings.clone_from(&other.savings);
        (self.bytes, self.net) = (other.bytes, other.net);
    }
}
