//! Samples, and the way to take them: both sides in turns, so that whatever else the machine does falls on both alike.

use std::time::{Duration, Instant};

/// How long each of many times took.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub fn median(&self) -> Duration {
        self.at(50, 100)
    }

    pub fn mean(&self) -> Duration {
        self.0.iter().sum::<Duration>() / u32::try_from(self.0.len()).unwrap()
    }

    pub fn p99(&self) -> Duration {
        self.at(99, 100)
    }

    fn at(&self, part: usize, of: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * part / of).min(sorted.len() - 1)]
    }
}

/// Each of them `each` times, `rounds` times over, after one round for warming up.
pub fn in_turns<const N: usize>(
    rounds: usize,
    each: usize,
    mut sides: [&mut dyn FnMut() -> Duration; N],
) -> [Samples; N] {
    let mut samples = [(); N].map(|()| Samples::default());
    for round in 0..=rounds {
        for (side, samples) in sides.iter_mut().zip(&mut samples) {
            for _ in 0..each {
                let sample = side();
                if round > 0 {
                    samples.add(sample);
                }
            }
        }
    }
    samples
}

/// How long it takes, from outside.
pub fn timed(mut act: impl FnMut()) -> impl FnMut() -> Duration {
    move || {
        let begun = Instant::now();
        act();
        begun.elapsed()
    }
}

pub fn ratio(ours: Duration, floor: Duration) -> f64 {
    ours.as_secs_f64() / floor.as_secs_f64()
}
