//! Goes through the whole inbox again, and makes every mirrored row what the events say: after a fault of ours is
//! mended, after rows were lost, or to see that none differ.

use super::apply::{Apply, Mode, Scope};
use super::drift::Drift;
use super::jobs::ApplyObject;
use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;

/// How often the objects are gone through at most that wait for each other.
const MOST_PASSES: usize = 5;

/// What came of going through the inbox.
#[derive(Debug, Clone, Default)]
pub struct Rebuilt {
    /// How many objects there are.
    pub objects: usize,
    /// How many of them still wait for something that is not here.
    pub waiting: usize,
    /// What differed.
    pub drift: Drift,
}

/// Applies every event of the inbox as if none had been applied, object by object, each in a transaction of its own;
/// `show` is told how many of how many are done. Broken off and begun again it does no harm: what is as it should be
/// is not touched.
pub async fn rebuild(
    app: &App,
    viewer: &Viewer,
    dry_run: bool,
    show: impl Fn(usize, usize) + Send + Sync,
) -> Result<Rebuilt> {
    viewer.require(Permission::OperationsWrite)?;
    let mut objects = store::objects(app.db.read()).await?;
    let mut rebuilt = Rebuilt { objects: objects.len(), ..Rebuilt::default() };
    for _ in 0..MOST_PASSES {
        for (done, ApplyObject { provider, object_id }) in objects.iter().enumerate() {
            show(done, objects.len());
            let work = Apply::new(app, *provider, object_id, Scope::All);
            match work.done(app, Mode::of(dry_run)).await {
                Ok(differences) => rebuilt.drift.add(differences),
                Err(error) => rebuilt.drift.fail(object_id, error),
            }
        }
        // What is waited for may have come in this pass.
        let waiting = store::waiting_objects(app.db.read()).await?;
        let before = std::mem::replace(&mut rebuilt.waiting, waiting.len());
        if dry_run || waiting.is_empty() || waiting.len() == before {
            break;
        }
        objects = waiting;
    }
    Ok(rebuilt)
}
