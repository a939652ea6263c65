//! Funnels that are stored by a code.

use super::activity::FunnelStep;
use crate::analytics::funnels::{self, Funnels, NewFunnel};
use crate::graphql::common::{
    Connection, ContextExt, Date, Instant, Row, global_id, page, page_args, split_refusal, text,
};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

pub struct Funnel(pub(crate) Row<entity::funnels::Entity>);

/// A funnel that is stored by a code. Its definition never changes. Requires the scope `analytics:read`.
#[Object]
impl Funnel {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Funnel>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The names of the events, in their order.
    async fn steps(&self) -> Result<Vec<String>> {
        Ok(funnels::steps(&self.0)?)
    }

    /// The longest time from the first step to any other, in seconds; the end itself counts.
    async fn window_seconds(&self) -> i64 {
        self.0.window_seconds
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

/// The query root of funnels.
#[derive(Default)]
pub struct FunnelQuery;

#[Object]
impl FunnelQuery {
    /// Funnels, newest first. Requires the scope `analytics:read`; `analytics { storedFunnel }` has their figures.
    async fn funnels(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<Funnel>> {
        page(ctx, Funnels, page_args(first, after, last, before)).await
    }
}

/// Figures of stored funnels.
#[derive(Default)]
pub struct FunnelFigures;

#[Object]
impl FunnelFigures {
    /// The people who came to each step of a stored funnel, as `funnel` with its steps and window; null if there is none
    /// with this code.
    async fn stored_funnel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the funnel.")] code: String,
        #[graphql(desc = "The first day of the first step, in UTC.")] from: Date,
        #[graphql(desc = "The day after the last one of the first step, in UTC; at most 3,700 days after `from`.")]
        to: Date,
    ) -> Result<Option<Vec<FunnelStep>>> {
        let code = text("code", code)?;
        let found = funnels::stored_funnel(ctx.app(), ctx.viewer(), &code, from.0, to.0).await?;
        Ok(found.map(|steps| steps.into_iter().map(FunnelStep::from).collect()))
    }
}

/// The mutation root of funnels.
#[derive(Default)]
pub struct FunnelMutation;

#[Object]
impl FunnelMutation {
    /// Creates a funnel, whose definition never changes. Requires the scope `catalogue:write`.
    async fn create_funnel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new funnel.")] input: CreateFunnelInput,
    ) -> Result<Option<CreateFunnelPayload>> {
        let steps = input.steps.into_iter().map(|step| text("steps", step)).collect::<Result<_, _>>()?;
        let new = NewFunnel {
            code: input.code,
            name: text("name", input.name)?,
            steps,
            window_seconds: input.window_seconds,
        };
        let (row, user_errors) = split_refusal(funnels::create_funnel(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateFunnelPayload { funnel: row.map(|row| Funnel(Arc::new(row))), user_errors }))
    }
}

/// A new funnel.
#[derive(InputObject)]
pub struct CreateFunnelInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// The names of the events, in their order: 2 to 10, each 1 to 64 bytes.
    steps: Vec<String>,
    /// The longest time from the first step to any other, in seconds, inclusive: 0 to 31,622,400.
    window_seconds: i64,
}

/// The created funnel.
#[derive(SimpleObject)]
pub struct CreateFunnelPayload {
    /// The funnel; null if there are user errors.
    funnel: Option<Funnel>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateFunnelUserError>,
}

user_error! {
    /// A rule that refused to create a funnel.
    CreateFunnelUserError with
    /// The rules that can refuse `createFunnel`.
    CreateFunnelErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another funnel has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There are too few or too many steps, or one is not the name of an event.
        StepsInvalid = "STEPS_INVALID",
        /// The window is out of range.
        WindowInvalid = "WINDOW_INVALID",
    }
}
