//! What happens to the inbox by itself.

use crate::accounts::UserAppeared;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;

impl Job for UserAppeared {
    const KIND: &'static str = "user_appeared";

    async fn run(self, _: &App) -> Result<()> {
        Ok(())
    }
}
