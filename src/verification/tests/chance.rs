//! How often verdicts are wrong, on histories with the unpleasant habits of real ones: calls whose times have long tails, hours of the day
//! with other parameters, a machine that is faster on some days, statements that drift on their own.
//!
//! What is counted here is what the constants in `noise` rest on.

use super::world::{HOUR, World};
use crate::verification::Verdict;

/// Histories of each kind.
const TRIALS: u64 = 150;

/// Pseudo-random numbers by a fixed rule (a linear congruential generator with Knuth's constants for MMIX), so that the same histories are
/// judged on every machine.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A factor around 1 whose logarithm has this standard deviation.
    fn factor(&mut self, deviation: f64) -> f64 {
        (deviation * self.normal()).exp()
    }
}

/// How a statement behaves.
struct Habit {
    statement: i64,
    ms: f64,
    calls_an_hour: f64,
    /// Standard deviations of the logarithms of times: of single calls, and of whole hours.
    call: f64,
    hour: f64,
}

/// What happens to statement 1 (the index's own) and 2 (another on its table) when the index comes or goes.
#[derive(Clone, Copy)]
struct Effect {
    own: f64,
    other: f64,
}

fn habits(chance: &mut Chance) -> Vec<Habit> {
    let controls = (101..=110).chain([1, 2]);
    controls
        .map(|statement| Habit {
            statement,
            ms: 0.1 * 10f64.powf(3.0 * chance.uniform()),
            calls_an_hour: 10f64.powf(2.5 * chance.uniform()),
            call: 0.2 + 1.3 * chance.uniform(),
            hour: 0.3 * chance.uniform(),
        })
        .collect()
}

/// Hours of work, with a snapshot now and then.
fn work(
    world: &mut World,
    habits: &[Habit],
    hours: usize,
    every: usize,
    effect: Effect,
    chance: &mut Chance,
) {
    let machine = chance.factor(0.1);
    for hour in 0..hours {
        for habit in habits {
            let factor = match habit.statement {
                1 => effect.own,
                2 => effect.other,
                _ => 1.0,
            };
            let by_hour = machine * factor * chance.factor(habit.hour);
            let calls = (habit.calls_an_hour * chance.factor(0.5)).round().min(40.0);
            for _ in 0..calls as usize {
                // One by one, so that the tail is in the sums as it is in the counters of a server.
                let ms = habit.ms * by_hour * chance.factor(habit.call);
                world.call(habit.statement, ms);
            }
        }
        world.passes(HOUR);
        if hour % every == every - 1 {
            world.snapshot();
        }
    }
}

/// The verdict on an index that was created (or dropped) between two stretches of work.
fn judged(seed: u64, created: bool, effect: Effect, ratio: f64) -> Verdict {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut world = World::usual();
    world.statement(2, &["public.t"]);
    world.known.promises[0].ratios.insert(1, ratio);
    if !created {
        world.known.promises.clear();
        world.has(1, "public.t");
    }
    let habits = habits(&mut chance);
    let before = 4 + (chance.uniform() * 44.0) as usize;
    let after = 4 + (chance.uniform() * 44.0) as usize;
    let every = 1 + (chance.uniform() * 4.0) as usize;
    let none = Effect { own: 1.0, other: 1.0 };
    work(&mut world, &habits, before, every, none, &mut chance);
    world.snapshot();
    if created {
        world.creates(1, "public.t");
    } else {
        world.drops(1);
    }
    world.snapshot();
    work(&mut world, &habits, after, every, effect, &mut chance);
    world.verify().remove(0).verdict
}

/// How many trials had a verdict that is one of these.
fn share(created: bool, effect: Effect, ratio: f64, verdicts: &[Verdict]) -> f64 {
    let found = (1..=TRIALS).filter(|seed| verdicts.contains(&judged(*seed, created, effect, ratio)));
    found.count() as f64 / TRIALS as f64
}

#[test]
fn an_index_that_does_nothing_is_rarely_praised_or_blamed() {
    let nothing = Effect { own: 1.0, other: 1.0 };
    let praised = share(true, nothing, 0.8, &[Verdict::KeptPromise]);
    let blamed = share(true, nothing, 0.8, &[Verdict::Harms]);
    assert!(praised <= 0.02 && blamed <= 0.02, "praised {praised}, blamed {blamed}");
    let missed = share(false, nothing, 0.5, &[Verdict::Missed]);
    assert!(missed <= 0.02, "missed {missed}");
}

#[test]
fn a_great_effect_is_mostly_seen() {
    let tenth = Effect { own: 0.1, other: 1.0 };
    let kept = share(true, tenth, 0.1, &[Verdict::KeptPromise]);
    let wrong = share(true, tenth, 0.1, &[Verdict::HelpsLess, Verdict::Harms, Verdict::Unused]);
    assert!(kept >= 0.8 && wrong <= 0.02, "kept {kept}, wrong {wrong}");
    let gone = Effect { own: 10.0, other: 1.0 };
    let missed = share(false, gone, 0.1, &[Verdict::Missed]);
    let not = share(false, gone, 0.1, &[Verdict::NotMissed]);
    assert!(missed >= 0.7 && not <= 0.05, "missed {missed}, not {not}");
}

#[test]
fn half_of_a_promise_is_not_taken_for_all() {
    let half = Effect { own: 0.55, other: 1.0 };
    let kept = share(true, half, 0.1, &[Verdict::KeptPromise, Verdict::Harms]);
    let less = share(true, half, 0.1, &[Verdict::HelpsLess]);
    assert!(kept <= 0.02 && less >= 0.6, "kept {kept}, less {less}");
}

#[test]
fn harm_is_seen() {
    let slower = Effect { own: 3.0, other: 1.0 };
    let harms = share(true, slower, 0.5, &[Verdict::Harms]);
    let wrong = share(true, slower, 0.5, &[Verdict::KeptPromise, Verdict::Unused]);
    assert!(harms >= 0.6 && wrong <= 0.01, "harms {harms}, wrong {wrong}");
}
