//! Scores of engagement.

use super::rates::decimal;
use crate::analytics::RATE_PLACES;
use crate::analytics::engagement::{self, EngagementDay, EngagementScores, NewEngagementScore, Weight};
use crate::error::Error;
use crate::graphql::common::{
    Connection, ContextExt, Date, Instant, Row, global_id, page, page_args, split_refusal, text,
};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::engagement_scores;
use std::sync::Arc;

pub struct EngagementScore(pub(crate) Row<engagement_scores::Entity>);

/// A score of engagement: the sum of weighted events of a person on a day. Its weights never change. Requires the scope
/// `analytics:read`.
#[Object]
impl EngagementScore {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<EngagementScore>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The weights of events; other events count nothing.
    async fn weights(&self) -> Result<Vec<EngagementWeight>> {
        let weights = engagement::weights(&self.0)?;
        Ok(weights.into_iter().map(|Weight { event_name, weight }| EngagementWeight { event_name, weight }).collect())
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

/// The weight of the events of one name.
#[derive(SimpleObject)]
pub struct EngagementWeight {
    /// The name of the events.
    event_name: String,
    /// The weight of each event.
    weight: i64,
}

/// The scores of the people who were active on one day. All figures are null if these are few: fewer than the setting
/// `analytics_minimum_group`. Scores are decimal numbers in strings.
#[derive(SimpleObject)]
pub struct EngagementOfDay {
    /// The day, in UTC.
    day: Date,
    /// The number of users, and of visitors who are not signed in, who have an event on the day, weighted or not.
    people_count: Option<i64>,
    /// The mean score.
    mean: Option<String>,
    /// The score that a quarter of the people do not exceed, between two people by proportion.
    lower_quartile: Option<String>,
    /// The score that half of the people do not exceed, between two people by proportion.
    median: Option<String>,
    /// The score that three quarters of the people do not exceed, between two people by proportion.
    upper_quartile: Option<String>,
}

/// The query root of scores of engagement.
#[derive(Default)]
pub struct EngagementQuery;

#[Object]
impl EngagementQuery {
    /// Scores of engagement, newest first. Requires the scope `analytics:read`; `analytics { engagement }` has their figures.
    async fn engagement_scores(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<EngagementScore>> {
        page(ctx, EngagementScores, page_args(first, after, last, before)).await
    }
}

/// Figures of engagement.
#[derive(Default)]
pub struct EngagementFigures;

#[Object]
impl EngagementFigures {
    /// The scores of the people who were active on each day of a range, oldest first; null if there is no score with this
    /// code. Days without active people have no row.
    async fn engagement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the score.")] code: String,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Option<Vec<EngagementOfDay>>> {
        let code = text("code", code)?;
        let found = engagement::engagement(ctx.app(), ctx.viewer(), &code, from.0, to.0).await?;
        Ok(found.map(|days| days.into_iter().map(EngagementOfDay::from).collect()))
    }
}

/// The mutation root of scores of engagement.
#[derive(Default)]
pub struct EngagementMutation;

#[Object]
impl EngagementMutation {
    /// Creates a score of engagement, whose weights never change. Requires the scope `catalogue:write`.
    async fn create_engagement_score(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new score.")] input: CreateEngagementScoreInput,
    ) -> Result<Option<CreateEngagementScorePayload>> {
        let weight = |input: EngagementWeightInput| {
            Ok::<_, Error>(Weight { event_name: text("eventName", input.event_name)?, weight: input.weight })
        };
        let weights = input.weights.into_iter().map(weight).collect::<Result<_, _>>()?;
        let new = NewEngagementScore { code: input.code, name: text("name", input.name)?, weights };
        let made = engagement::create_engagement_score(ctx.app(), ctx.viewer(), new).await;
        let (row, user_errors) = split_refusal(made)?;
        let engagement_score = row.map(|row| EngagementScore(Arc::new(row)));
        Ok(Some(CreateEngagementScorePayload { engagement_score, user_errors }))
    }
}

/// A new score of engagement.
#[derive(InputObject)]
pub struct CreateEngagementScoreInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// The weights of events: 1 to 20.
    weights: Vec<EngagementWeightInput>,
}

/// The weight of the events of one name.
#[derive(InputObject)]
pub struct EngagementWeightInput {
    /// The name of the events: 1 to 64 bytes.
    event_name: String,
    /// The weight of each event: 1 to 1,000.
    weight: i64,
}

/// The created score of engagement.
#[derive(SimpleObject)]
pub struct CreateEngagementScorePayload {
    /// The score; null if there are user errors.
    engagement_score: Option<EngagementScore>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateEngagementScoreUserError>,
}

user_error! {
    /// A rule that refused to create a score of engagement.
    CreateEngagementScoreUserError with
    /// The rules that can refuse `createEngagementScore`.
    CreateEngagementScoreErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another score has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There are too few or too many weights, or one is out of range or not for the name of an event.
        WeightsInvalid = "WEIGHTS_INVALID",
    }
}

impl From<EngagementDay> for EngagementOfDay {
    fn from(day: EngagementDay) -> Self {
        let [lower, median, upper] = day.quartiles.map_or([None; 3], |quartiles| quartiles.map(Some));
        EngagementOfDay {
            day: Date(day.day),
            people_count: day.people,
            mean: decimal(day.mean, RATE_PLACES),
            lower_quartile: decimal(lower, RATE_PLACES),
            median: decimal(median, RATE_PLACES),
            upper_quartile: decimal(upper, RATE_PLACES),
        }
    }
}
