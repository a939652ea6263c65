//! Errors of the company's product, its e-mail campaigns and the sales of its partners.

use super::calendar::{At, days, minutes};
use super::customer::World;
use super::dice::Dice;
use super::rows::Rows;
use ::entity::{email_campaigns, error_events, error_groups, partner_daily};
use uuid::Uuid;

/// The errors: type, message, severity, errors in thirty days, and the days since the cause was mended.
const ERRORS: [(&str, &str, &str, i64, Option<i64>); 6] = [
    ("TimeoutError", "no answer from the model in # s", "error", 46, None),
    ("TypeError", "Cannot read properties of undefined (reading \"\")", "error", 23, Some(2)),
    ("PaymentDeclined", "card of \"\" was declined", "warning", 31, None),
    ("QuotaExceeded", "# of # messages are used", "info", 58, None),
    ("DatabaseError", "too many connections", "critical", 4, Some(11)),
    ("UploadError", "\"\" is larger than # MB", "warning", 12, None),
];

/// Adds all of them. Errors happen to `users`, and sometimes to nobody.
pub(super) fn add(world: &World, size: u64, users: &[Uuid], rows: &mut Rows) {
    let mut dice = Dice::new(world.seed ^ 3, 0);
    for error in ERRORS {
        errors(world, &mut dice, rows, users, error);
    }
    campaigns(world, &mut dice, rows, i64::try_from(size).unwrap_or(i64::MAX));
    partners(world, &mut dice, rows);
}

fn errors(
    world: &World,
    dice: &mut Dice,
    rows: &mut Rows,
    users: &[Uuid],
    (error_type, message, severity, count, mended): (&str, &str, &str, i64, Option<i64>),
) {
    let now = world.calendar.now;
    let until = now - days(mended.unwrap_or(0)) - minutes(20);
    let mut times: Vec<At> = (0..count).map(|_| dice.instant(now - days(30), until)).collect();
    times.sort();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
    let id = dice.id(*first);
    rows.error_groups.push(error_groups::Model {
        id,
        fingerprint: dice.token("fp_"),
        error_type: error_type.to_owned(),
        message: message.to_owned(),
        severity: severity.to_owned(),
        error_count: count,
        first_seen_at: *first,
        last_seen_at: *last,
        resolved_at: mended.map(|_| until + minutes(5)),
    });
    for at in times {
        let user_id = (!users.is_empty() && dice.chance(850)).then(|| *dice.pick(users));
        let shown = message.replace('#', &dice.between(2, 90).to_string()).replace("\"\"", "\"a value\"");
        let error_id = dice.id(at);
        rows.error_events.push(error_events::Model {
            id: error_id,
            error_group_id: id,
            severity: severity.to_owned(),
            message: shown,
            stack: dice.chance(600).then(|| format!("at app.js:{}:7", dice.between(10, 900))),
            release: Some(format!("2.{}", (at - world.calendar.start).num_days() / 14)),
            page: dice.chance(500).then(|| "https://www.example.com/app".to_owned()),
            user_id,
            dedupe_key: error_id.to_string(),
            properties: None,
            occurred_at: at,
            day: at.naive_utc().date(),
            recorded_at: at,
        });
    }
}

fn campaigns(world: &World, dice: &mut Dice, rows: &mut Rows, size: i64) {
    for (number, name) in ["Autumn offer", "New exports", "Year in review", "Teams", "Small models", "Spring offer"]
        .into_iter()
        .enumerate()
    {
        let ago = days(30 * i64::try_from(6 - number).unwrap_or(1) - 9);
        let sent_at = world.calendar.now - ago;
        let sent = size * dice.between(60, 90) / 100 + 40;
        let bounced = sent * dice.between(5, 30) / 1_000;
        let delivered = sent - bounced;
        let opened = delivered * dice.between(28, 52) / 100;
        rows.email_campaigns.push(email_campaigns::Model {
            id: dice.id(sent_at),
            code: name.to_lowercase().replace(' ', "-"),
            name: name.to_owned(),
            sent_at,
            sent_count: sent,
            delivered_count: delivered,
            opened_count: opened,
            clicked_count: opened * dice.between(8, 25) / 100,
            bounced_count: bounced,
            unsubscribed_count: delivered * dice.between(1, 9) / 1_000,
            reported_at: sent_at + days(7),
            created_at: sent_at,
        });
    }
}

fn partners(world: &World, dice: &mut Dice, rows: &mut Rows) {
    let today = world.calendar.now.naive_utc().date();
    for (code, currency, most) in [("hotel-guide", "EUR", 90), ("city-tours", "USD", 40), ("reviews", "USD", 15)] {
        for ago in 1..=60 {
            let day = today - days(ago);
            let visits = dice.between(most / 3, most);
            let bookings = visits * dice.between(0, 12) / 100;
            let at = (day.and_time(chrono::NaiveTime::MIN).and_utc() + days(1) + minutes(90)).fixed_offset();
            let at = at.min(world.calendar.now);
            rows.partner_daily.push(partner_daily::Model {
                id: dice.id(at),
                partner_code: code.to_owned(),
                day,
                currency: currency.to_owned(),
                visit_count: visits,
                booking_count: bookings,
                revenue_minor: bookings * dice.between(1_900, 12_900),
                reported_at: at,
            });
        }
    }
}
