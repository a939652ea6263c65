//! Seeded random choices, ids and tokens, so that the same plan gives the same company.

use super::calendar::At;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uuid::{Builder, Uuid};

/// A random stream. Streams of the same seed are independent of each other.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Dice(rng)
    }

    /// Returns a number in `0..n`.
    pub(super) fn below(&mut self, n: i64) -> i64 {
        i64::try_from(self.0.next_u64() >> 1).expect("63 bits") % n.max(1)
    }

    /// Returns a number in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// Returns true in `per_mille` of a thousand cases.
    pub(super) fn chance(&mut self, per_mille: i64) -> bool {
        self.below(1000) < per_mille
    }

    /// Returns one of `choices`.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = self.below(i64::try_from(choices.len()).expect("a short list"));
        &choices[usize::try_from(index).expect("not negative")]
    }

    /// Returns one of `choices` with the probability of its weight.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(i64, T)]) -> T {
        let mut left = self.below(choices.iter().map(|choice| choice.0).sum());
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices[choices.len() - 1].1
    }

    /// Returns an instant in `[from, to)`, to the microsecond.
    pub(super) fn instant(&mut self, from: At, to: At) -> At {
        let span = (to - from).num_microseconds().unwrap_or(0);
        from + chrono::TimeDelta::microseconds(self.below(span))
    }

    /// Returns a UUIDv7 for `at`. The first twelve random bits hold the microseconds, so that ids sort by time.
    pub(super) fn id(&mut self, at: At) -> Uuid {
        let mut bytes = [0; 10];
        self.0.fill_bytes(&mut bytes);
        let micros = at.timestamp_micros();
        let fraction = u16::try_from(micros.rem_euclid(1000)).expect("below a thousand") * 4;
        let [high, low] = (fraction | u16::from(bytes[1] & 3)).to_be_bytes();
        (bytes[0], bytes[1]) = (high, low);
        let millis = u64::try_from(micros.div_euclid(1000)).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// Returns an opaque id of a provider, such as `sub_` and 24 characters.
    pub(super) fn token(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bytes = [0; 24];
        self.0.fill_bytes(&mut bytes);
        let mut token = String::with_capacity(prefix.len() + bytes.len());
        token.push_str(prefix);
        token.extend(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])));
        token
    }
}
