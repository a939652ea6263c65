//! Meters.

use crate::graphql::common::{Connection, Instant, Row, StoredEnum, global_id, optional_text, page, page_args};
use crate::usage::Meters;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::meters;

pub struct Meter(pub(crate) Row<meters::Entity>);

stored_enum! {
    /// The way in which a meter turns events into one number.
    MeterAggregation: crate::usage::MeterAggregation {
        /// The sum of the values.
        Sum,
        /// The number of events.
        Count,
        /// The greatest value.
        Max,
        /// The number of different values.
        Unique,
    }
}

/// A measure of usage, such as tokens, messages or active users. Visible to everyone.
#[Object]
impl Meter {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Meter>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The way in which events become one number.
    async fn aggregation(&self) -> Result<MeterAggregation> {
        Ok(MeterAggregation::read(&self.0.aggregation)?)
    }

    /// The path of the value in the dimensions of an event; null if the event has its own value.
    async fn value_path(&self) -> Option<&str> {
        self.0.value_path.as_deref()
    }

    /// The path of the dimension by which daily sums are kept apart, e.g. `model`; null for one sum a day.
    async fn group_by(&self) -> Option<&str> {
        self.0.group_by.as_deref()
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

/// Conditions on meters; a meter must meet all that are given.
#[derive(InputObject, Default)]
pub struct MeterFilter {
    /// The meter with this code.
    code: Option<String>,
}

order_input! {
    /// The order of a list of meters.
    MeterOrder by
    /// The fields that meters can be ordered by.
    MeterOrderField {
        /// Time of creation.
        CreatedAt,
    }
}

/// The query root of meters.
#[derive(Default)]
pub struct MeterQuery;

#[Object]
impl MeterQuery {
    /// Lists the meters.
    async fn meters(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the meters.")] filter: Option<MeterFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<MeterOrder>,
    ) -> Result<Connection<Meter>> {
        let code = optional_text("code", filter.unwrap_or_default().code)?;
        let list = Meters { code, descending: MeterOrder::descending(order_by, true) };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
