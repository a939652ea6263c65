//! Banking: unused units of earlier windows.

use super::banking::banked_of;
use super::slot::Count;
use proptest::prelude::*;

#[test]
fn remaining_is_never_negative_and_unlimited_has_no_number() {
    let count = |used, banked| Count { used, banked, resets_at: None };
    assert_eq!(count(3, 0).remaining(Some(10)), Some(7));
    assert_eq!(count(12, 0).remaining(Some(10)), Some(0));
    assert_eq!(count(12, 5).remaining(Some(10)), Some(3));
    assert_eq!(count(i64::MAX, 0).remaining(None), None);
    assert_eq!(count(0, 1).remaining(Some(i64::MAX)), Some(i64::MAX));
}

proptest! {
    /// Banking at once after many idle windows is the same as banking window by window.
    #[test]
    fn idle_windows_bank_one_by_one(unused in 0_i64..200, limit in 0_i64..50, cap in 0_i64..300, passed in 1_i64..40) {
        let mut banked = unused.min(cap);
        for _ in 1..passed {
            banked = (limit + banked).min(cap);
        }
        prop_assert_eq!(banked_of(unused, limit, cap, passed), banked);
    }
}
