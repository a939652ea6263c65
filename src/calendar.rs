//! Days in time zones.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Returns the first instant of a day: midnight, or the end of the gap if the clocks are set forward over it.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    if let Some(at) = zone.from_local_datetime(&midnight).earliest() {
        return at.to_utc();
    }
    let (mut before, mut after) = (midnight.and_utc() - TimeDelta::days(2), midnight.and_utc() + TimeDelta::days(2));
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        match middle.with_timezone(&zone).date_naive() < day {
            true => before = middle,
            false => after = middle,
        }
    }
    after
}
