//! `Buffers`: how many pages of a plan are found in shared buffers; the others are read again from the operating system's cache.
//!
//! A server's shared buffers are often a small part of its memory, and of its tables. Only arithmetic.

use serde::{Deserialize, Serialize};

/// Shared buffers, and what they are there for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buffers {
    /// Pages that they hold.
    pub pages: f64,
    /// Pages of all tables and indexes of the workload.
    pub stored: f64,
}

impl Buffers {
    /// Room for everything.
    pub const AMPLE: Buffers = Buffers { pages: f64::INFINITY, stored: 0.0 };

    /// The share of pages that are not there when a plan comes to them for the first time, 0 to 1: what was used last may be any
    /// part of what is stored.
    pub fn missed_at_first(self) -> f64 {
        missed(self.pages, self.stored)
    }

    /// The share of pages that are not there when a plan comes to them again, which comes to as many as `touched` in turn, 0 to 1.
    pub fn missed_again(self, touched: f64) -> f64 {
        missed(self.pages, touched)
    }
}

fn missed(room: f64, pages: f64) -> f64 {
    if pages > room { 1.0 - room / pages } else { 0.0 }
}

/// Pages that a plan comes to one by one, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Touched {
    /// Pages that are visited at least once.
    pub first: f64,
    /// Further visits.
    pub again: f64,
}

impl Touched {
    /// Of so many visits to anywhere among `pages`.
    pub fn at_random(visits: f64, pages: f64) -> Touched {
        let first = pages * -(-visits / pages.max(1.0)).exp_m1();
        Touched { first, again: (visits - first).max(0.0) }
    }

    /// This and `times` the other.
    pub fn plus(self, other: Touched, times: f64) -> Touched {
        Touched { first: self.first + times * other.first, again: self.again + times * other.again }
    }

    /// Of a table by an index of it: what is visited most often, as leaves are, stays in shared buffers and leaves its room to the rest.
    pub fn beside(self, other: Touched) -> Touched {
        Touched { first: self.first + other.first, again: self.again.max(other.again) }
    }

    /// Of visits one after the other.
    pub fn in_turn(visits: f64, pages: f64) -> Touched {
        let first = visits.min(pages);
        Touched { first, again: visits - first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_room_is_missed_never() {
        assert_eq!((Buffers::AMPLE.missed_at_first(), Buffers::AMPLE.missed_again(1e9)), (0.0, 0.0));
        let small = Buffers { pages: 16_384.0, stored: 160_000.0 };
        assert!((small.missed_at_first() - 0.8976).abs() < 1e-4);
        // A small table is there from the second visit on.
        assert_eq!(small.missed_again(10_000.0), 0.0);
        assert_eq!(small.missed_again(32_768.0), 0.5);
    }

    #[test]
    fn visits_at_random_come_to_some_pages_twice() {
        let few = Touched::at_random(10.0, 1e6);
        assert!((few.first - 10.0).abs() < 1e-3 && few.again < 1e-3, "{few:?}");
        let many = Touched::at_random(1e6, 1000.0);
        assert!((many.first - 1000.0).abs() < 1e-6 && (many.all() - 1e6).abs() < 1e-6, "{many:?}");
        assert_eq!(Touched::in_turn(10.0, 1000.0), Touched { first: 10.0, again: 0.0 });
        assert_eq!(Touched::in_turn(3000.0, 1000.0), Touched { first: 1000.0, again: 2000.0 });
        assert_eq!(Touched::at_random(0.0, 0.0), Touched::default());
        let leaves = Touched { first: 4.0, again: 90.0 };
        assert_eq!(Touched { first: 26.0, again: 74.0 }.beside(leaves), Touched { first: 30.0, again: 90.0 });
    }

    impl Touched {
        fn all(self) -> f64 {
            self.first + self.again
        }
    }
}
