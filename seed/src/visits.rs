//! Visitors and users in the company's own product, over its last quarter: the way to a plan, an experiment on it, and the
//! daily use of features. The random streams are their own, so that they affect nothing else.

use super::calendar::{At, days, minutes, seconds};
use super::customer::World;
use super::dice::Dice;
use super::rows::Rows;
use ::entity::{
    analytics_events, engagement_scores, experiment_assignments, experiments, funnels, identity_aliases, visitor_days,
};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The days before now that have events.
const QUARTER: i64 = 90;
/// The days before now on which the experiment began.
const EXPERIMENT: i64 = 45;
/// The seconds in which a conversion counts.
const WINDOW: i64 = 7 * 86_400;
/// Visitors who leave for one who signs up.
const LEAVERS: i64 = 3;

/// The event that converts in the experiment.
const SIGNED_UP: &str = "signed_up";
/// The events that are the use of a feature.
const FEATURES: [(i64, &str); 4] =
    [(50, "message_sent"), (25, "comment_written"), (15, "export_made"), (10, "project_made")];
/// The pages that lead to the company's.
const REFERRERS: [&str; 3] = ["https://search.example/", "https://news.example/tools", "https://friends.example/feed"];

/// A user, as far as their events depend on it.
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) joined: At,
    /// The time of the first plan.
    pub(super) bought: Option<At>,
    /// True if the user was active lately.
    pub(super) is_active: bool,
}

/// Adds the definitions: an experiment, a funnel and a score.
pub(super) fn define(world: &World, rows: &mut Rows) {
    let mut dice = Dice::new(world.seed ^ 2, 0);
    let created_at = world.calendar.now - days(EXPERIMENT);
    rows.experiments.push(experiments::Model {
        id: experiment(world),
        code: "pricing_page".to_owned(),
        name: "Prices by year first".to_owned(),
        conversion_event: SIGNED_UP.to_owned(),
        window_seconds: WINDOW,
        planned_units: 400,
        control_weight: 1,
        treatment_weight: 1,
        created_at,
        ended_at: None,
    });
    let created_at = world.calendar.now - days(QUARTER);
    rows.funnels.push(funnels::Model {
        id: dice.id(created_at),
        code: "plan".to_owned(),
        name: "From a visit to a plan".to_owned(),
        steps: json!(["page_viewed", "pricing_viewed", SIGNED_UP, "plan_bought"]),
        window_seconds: 30 * 86_400,
        created_at,
    });
    let weights =
        [("app_opened", 1), ("message_sent", 2), ("comment_written", 3), ("export_made", 5), ("project_made", 8)];
    rows.engagement_scores.push(engagement_scores::Model {
        id: dice.id(created_at),
        code: "product".to_owned(),
        name: "Use of the product".to_owned(),
        weights: json!(weights.map(|(name, weight)| json!({"eventName": name, "weight": weight}))),
        created_at,
    });
}

/// Returns the id of the experiment.
fn experiment(world: &World) -> Uuid {
    Dice::new(world.seed ^ 2, u64::MAX).id(world.calendar.now - days(EXPERIMENT))
}

/// Adds the events of the users of a block, and of the visitors who left.
pub(super) fn of_block(world: &World, rows: &mut Rows, block: u64, users: &[User]) {
    let mut events = Events { world, dice: Dice::new(world.seed ^ 2, block + 1), rows, days: BTreeSet::new() };
    let quarter = world.calendar.now - days(QUARTER);
    for user in users {
        if user.joined > quarter + days(7) && user.joined <= world.calendar.horizon() {
            events.sign_up(user);
            for _ in 0..LEAVERS {
                events.leave(quarter);
            }
        }
        if user.is_active {
            events.use_features(user);
        }
    }
    events.end();
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Person {
    User(Uuid),
    Visitor(String),
}

/// The events of a block.
struct Events<'w> {
    world: &'w World,
    dice: Dice,
    rows: &'w mut Rows,
    days: BTreeSet<(chrono::NaiveDate, Person)>,
}

impl Events<'_> {
    /// The way of a visitor who signs up, and of the user up to the first plan.
    fn sign_up(&mut self, user: &User) {
        let visitor = self.dice.token("visitor_");
        if self.dice.chance(300) {
            let at = user.joined - days(self.dice.between(1, 6)) - minutes(self.dice.between(0, 600));
            self.view(&visitor, at, "/");
        }
        let at = user.joined - seconds(self.dice.between(180, 2_400));
        self.view(&visitor, at, "/");
        let seen = at + seconds(self.dice.between(20, 120));
        self.pricing(&visitor, seen, 550);
        self.add(Person::User(user.id), SIGNED_UP, user.joined, Some("/sign-up"));
        let id = self.dice.id(user.joined);
        let (anonymous_id, user_id) = (visitor, user.id);
        let created_at = user.joined;
        self.rows.identity_aliases.push(identity_aliases::Model { id, anonymous_id, user_id, created_at });
        if let Some(bought) = user.bought.filter(|at| *at >= user.joined && *at <= self.world.calendar.horizon()) {
            self.add(Person::User(user.id), "plan_bought", bought, None);
        }
    }

    /// The visit of somebody who does not sign up.
    fn leave(&mut self, quarter: At) {
        let visitor = self.dice.token("visitor_");
        let at = self.dice.instant(quarter, self.world.calendar.horizon() - minutes(30));
        self.view(&visitor, at, "/");
        let next = at + seconds(self.dice.between(10, 300));
        if self.dice.chance(350) {
            self.view(&visitor, next, "/features");
        }
        if self.dice.chance(450) {
            let seen = next + seconds(self.dice.between(10, 200));
            // Less than half of them, as more of those who sign up are in the treatment.
            self.pricing(&visitor, seen, 463);
        }
    }

    /// A look at the prices, at which a visitor enters the experiment: in the treatment in `treated` of a thousand cases.
    fn pricing(&mut self, visitor: &str, at: At, treated: i64) {
        self.add(Person::Visitor(visitor.to_owned()), "pricing_viewed", at, Some("/pricing"));
        if at < self.world.calendar.now - days(EXPERIMENT) {
            return;
        }
        let variant = if self.dice.chance(treated) { "treatment" } else { "control" };
        self.rows.experiment_assignments.push(experiment_assignments::Model {
            id: self.dice.id(at),
            experiment_id: experiment(self.world),
            user_id: None,
            anonymous_id: Some(visitor.to_owned()),
            variant: variant.to_owned(),
            assigned_at: at,
            window_ends_at: at + seconds(WINDOW),
        });
    }

    fn view(&mut self, visitor: &str, at: At, page: &str) {
        self.add(Person::Visitor(visitor.to_owned()), "page_viewed", at, Some(page));
    }

    /// The days of the last month on which a user used features.
    fn use_features(&mut self, user: &User) {
        let horizon = self.world.calendar.horizon() - minutes(90);
        let from = user.joined.max(self.world.calendar.now - days(30)) + seconds(60);
        if from >= horizon {
            return;
        }
        for _ in 0..self.dice.weighted(&[(45, 0), (30, 2), (18, 6), (7, 18)]) {
            let mut at = self.dice.instant(from, horizon);
            self.add(Person::User(user.id), "app_opened", at, Some("/app"));
            for _ in 0..self.dice.below(5) {
                at += seconds(self.dice.between(20, 900));
                let name = self.dice.weighted(&FEATURES);
                self.add(Person::User(user.id), name, at, None);
            }
        }
    }

    fn add(&mut self, person: Person, name: &str, at: At, page: Option<&str>) {
        let id = self.dice.id(at);
        let (user_id, anonymous_id) = columns(&person);
        let is_first = name == "page_viewed" && page == Some("/");
        let referrer = (is_first && self.dice.chance(700)).then(|| (*self.dice.pick(&REFERRERS)).to_owned());
        let day = at.naive_utc().date();
        self.rows.analytics_events.push(analytics_events::Model {
            id,
            name: name.to_owned(),
            user_id,
            anonymous_id,
            dedupe_key: id.to_string(),
            properties: None,
            page: page.map(|page| format!("https://www.example.com{page}")),
            referrer,
            occurred_at: at,
            day,
            recorded_at: at,
        });
        self.days.insert((day, person));
    }

    /// Adds the days on which people have events.
    fn end(mut self) {
        for (day, person) in std::mem::take(&mut self.days) {
            let at = day.and_time(chrono::NaiveTime::MIN).and_utc().fixed_offset();
            let (user_id, anonymous_id) = columns(&person);
            self.rows.visitor_days.push(visitor_days::Model { id: self.dice.id(at), day, user_id, anonymous_id });
        }
    }
}

fn columns(person: &Person) -> (Option<Uuid>, Option<String>) {
    match person {
        Person::User(id) => (Some(*id), None),
        Person::Visitor(id) => (None, Some(id.clone())),
    }
}
