//! E-mail campaigns.

use super::rates::decimal;
use crate::analytics::RATE_PLACES;
use crate::analytics::campaigns::{self, CampaignReport, EmailCampaigns};
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, global_id, page, page_args, split_refusal, text, to_one,
};
use crate::subscriptions::Exact;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::email_campaigns;

pub struct EmailCampaign(pub(crate) Row<email_campaigns::Entity>);

/// An e-mail campaign of the host application, with the figures of its newest report. Rates are decimal numbers in strings.
/// Requires the scope `analytics:read`.
#[Object]
impl EmailCampaign {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<EmailCampaign>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Time of sending.
    async fn sent_at(&self) -> Instant {
        self.0.sent_at.into()
    }

    /// The number of e-mails sent.
    async fn sent_count(&self) -> i64 {
        self.0.sent_count
    }

    /// The number of e-mails that arrived.
    async fn delivered_count(&self) -> i64 {
        self.0.delivered_count
    }

    /// The number of e-mails that were opened.
    async fn opened_count(&self) -> i64 {
        self.0.opened_count
    }

    /// The number of e-mails with a link that was followed.
    async fn clicked_count(&self) -> i64 {
        self.0.clicked_count
    }

    /// The number of e-mails that were returned.
    async fn bounced_count(&self) -> i64 {
        self.0.bounced_count
    }

    /// The number of e-mails whose recipients want no others.
    async fn unsubscribed_count(&self) -> i64 {
        self.0.unsubscribed_count
    }

    /// Delivered per sent e-mails; null if none was sent.
    async fn delivery_rate(&self) -> Option<String> {
        rate(self.0.delivered_count, self.0.sent_count)
    }

    /// Opened per delivered e-mails; null if none arrived.
    async fn open_rate(&self) -> Option<String> {
        rate(self.0.opened_count, self.0.delivered_count)
    }

    /// Clicked per delivered e-mails; null if none arrived.
    async fn click_rate(&self) -> Option<String> {
        rate(self.0.clicked_count, self.0.delivered_count)
    }

    /// E-mails whose recipients want no others, per delivered ones; null if none arrived.
    async fn unsubscribe_rate(&self) -> Option<String> {
        rate(self.0.unsubscribed_count, self.0.delivered_count)
    }

    /// Time as of which the figures are.
    async fn reported_at(&self) -> Instant {
        self.0.reported_at.into()
    }
}

fn rate(part: i64, of: i64) -> Option<String> {
    decimal((of > 0).then(|| Exact::new(part.into(), of.into())), RATE_PLACES)
}

/// Conditions on e-mail campaigns; a campaign must meet all that are given.
#[derive(InputObject, Default)]
pub struct EmailCampaignFilter {
    /// Time of sending.
    sent_at: Option<DateTimeRange>,
}

/// The query root of e-mail campaigns.
#[derive(Default)]
pub struct CampaignQuery;

#[Object]
impl CampaignQuery {
    /// E-mail campaigns, sent last first. Requires the scope `analytics:read`.
    async fn email_campaigns(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the campaigns.")] filter: Option<EmailCampaignFilter>,
    ) -> Result<Connection<EmailCampaign>> {
        let list = EmailCampaigns { sent: DateTimeRange::between(filter.unwrap_or_default().sent_at) };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}

/// The mutation root of e-mail campaigns.
#[derive(Default)]
pub struct CampaignMutation;

#[Object]
impl CampaignMutation {
    /// Records the figures of an e-mail campaign, in place of those that were reported earlier. Counts are since the
    /// beginning of the campaign, so that the request can be repeated. Requires the scope `events:write`.
    async fn record_email_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: RecordEmailCampaignInput,
    ) -> Result<Option<RecordEmailCampaignPayload>> {
        let report = CampaignReport {
            code: input.code,
            name: text("name", input.name)?,
            sent_at: input.sent_at.0,
            sent: input.sent_count,
            delivered: input.delivered_count,
            opened: input.opened_count,
            clicked: input.clicked_count,
            bounced: input.bounced_count,
            unsubscribed: input.unsubscribed_count,
            reported_at: input.reported_at.map(|at| at.0),
        };
        let recorded = campaigns::record_email_campaign(ctx.app(), ctx.viewer(), report).await;
        let (row, user_errors) = split_refusal(recorded)?;
        let email_campaign = to_one(ctx, row.map(|row| row.id)).await?;
        Ok(Some(RecordEmailCampaignPayload { email_campaign, user_errors }))
    }
}

/// The figures of an e-mail campaign. No count may exceed `sentCount`.
#[derive(InputObject)]
pub struct RecordEmailCampaignInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It identifies the campaign.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// Time of sending.
    sent_at: Instant,
    /// The number of e-mails sent.
    sent_count: i64,
    /// The number of e-mails that arrived.
    delivered_count: i64,
    /// The number of e-mails that were opened.
    #[graphql(default = 0)]
    opened_count: i64,
    /// The number of e-mails with a link that was followed.
    #[graphql(default = 0)]
    clicked_count: i64,
    /// The number of e-mails that were returned.
    #[graphql(default = 0)]
    bounced_count: i64,
    /// The number of e-mails whose recipients want no others.
    #[graphql(default = 0)]
    unsubscribed_count: i64,
    /// Time as of which the figures are, at most 5 minutes ahead; now by default. Figures that are older than the known ones
    /// change nothing.
    reported_at: Option<Instant>,
}

/// The recorded e-mail campaign.
#[derive(SimpleObject)]
pub struct RecordEmailCampaignPayload {
    /// The campaign with its newest figures; null if there are user errors, or for a caller without the scope
    /// `analytics:read`.
    email_campaign: Option<EmailCampaign>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<RecordEmailCampaignUserError>,
}

user_error! {
    /// A rule that refused to record an e-mail campaign.
    RecordEmailCampaignUserError with
    /// The rules that can refuse `recordEmailCampaign`.
    RecordEmailCampaignErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// A count is negative, or more than the e-mails sent.
        CountInvalid = "COUNT_INVALID",
        /// The time of the figures is too far in the future.
        ReportedAtInvalid = "REPORTED_AT_INVALID",
    }
}
