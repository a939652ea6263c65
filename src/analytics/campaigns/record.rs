//! Reports about e-mail campaigns.

use super::store;
use crate::analytics::reported::report_time;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::plans::{check_code, check_name};
use chrono::{DateTime, Utc};
use entity::email_campaigns::{ActiveModel, Model};
use sea_orm::ActiveValue::Set;

/// The figures of a campaign at one time. Counts are of e-mails, since the beginning of the campaign.
#[derive(Debug, Clone)]
pub struct CampaignReport {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// Time of sending.
    pub sent_at: DateTime<Utc>,
    /// E-mails sent.
    pub sent: i64,
    /// E-mails that arrived.
    pub delivered: i64,
    /// E-mails that were opened.
    pub opened: i64,
    /// E-mails with a link that was followed.
    pub clicked: i64,
    /// E-mails that were returned.
    pub bounced: i64,
    /// E-mails whose recipients want no others.
    pub unsubscribed: i64,
    /// Time as of which the figures are; `None` for now.
    pub reported_at: Option<DateTime<Utc>>,
}

/// Records the figures of a campaign, unless newer ones are known. Returns the campaign as it is then.
pub async fn record_email_campaign(app: &App, viewer: &Viewer, report: CampaignReport) -> Result<Model> {
    viewer.require(Permission::EventsWrite)?;
    let code = check_code(&report.code, &["code"])?;
    let name = check_name(&report.name, &["name"])?;
    report.check()?;
    let reported_at = report_time(report.reported_at, app.now())?;
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let row = ActiveModel {
                id: Set(txn.new_id()),
                code: Set(code.clone()),
                name: Set(name),
                sent_at: Set(report.sent_at.fixed_offset()),
                sent_count: Set(report.sent),
                delivered_count: Set(report.delivered),
                opened_count: Set(report.opened),
                clicked_count: Set(report.clicked),
                bounced_count: Set(report.bounced),
                unsubscribed_count: Set(report.unsubscribed),
                reported_at: Set(reported_at.fixed_offset()),
                created_at: Set(txn.now().fixed_offset()),
            };
            store::record(txn, row).await?;
            store::campaign(txn, &code).await
        })
    });
    written.await
}

impl CampaignReport {
    fn check(&self) -> Result<()> {
        if self.sent < 0 {
            return Err(Error::refused("COUNT_INVALID", &["sentCount"], "`sentCount` must not be negative."));
        }
        let counts: [(i64, &'static [&'static str], &'static str); 5] = [
            (self.delivered, &["deliveredCount"], "`deliveredCount` must be between 0 and `sentCount`."),
            (self.opened, &["openedCount"], "`openedCount` must be between 0 and `sentCount`."),
            (self.clicked, &["clickedCount"], "`clickedCount` must be between 0 and `sentCount`."),
            (self.bounced, &["bouncedCount"], "`bouncedCount` must be between 0 and `sentCount`."),
            (self.unsubscribed, &["unsubscribedCount"], "`unsubscribedCount` must be between 0 and `sentCount`."),
        ];
        match counts.into_iter().find(|(count, ..)| !(0..=self.sent).contains(count)) {
            Some((_, field, message)) => Err(Error::refused("COUNT_INVALID", field, message)),
            None => Ok(()),
        }
    }
}
