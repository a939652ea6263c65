//! Applies the whole inbox again: after a bug was fixed, after rows were lost, or to check that no row differs.

use super::apply::{Apply, Mode, Scope};
use super::drift::Drift;
use super::jobs::ApplyObject;
use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;

/// The maximum number of passes over objects that wait for each other.
const MAX_PASSES: usize = 5;

/// The outcome of a rebuild.
#[derive(Debug, Clone, Default)]
pub struct Rebuilt {
    /// The number of objects.
    pub objects: usize,
    /// The number of objects that still wait for something.
    pub waiting: usize,
    /// The rows that differed.
    pub drift: Drift,
}

/// Applies every event of the inbox as if none had been applied, object by object, each in a transaction of its own,
/// and calls `show` with the number of objects that are done and of all. It may be interrupted and started again: rows
/// that are as they should be are not touched.
pub async fn rebuild(
    app: &App,
    viewer: &Viewer,
    dry_run: bool,
    show: impl Fn(usize, usize) + Send + Sync,
) -> Result<Rebuilt> {
    viewer.require(Permission::OperationsWrite)?;
    let mut objects = store::objects(app.db.read()).await?;
    let mut rebuilt = Rebuilt { objects: objects.len(), ..Rebuilt::default() };
    for _ in 0..MAX_PASSES {
        for (done, ApplyObject { provider, kind, object_id }) in objects.iter().enumerate() {
            show(done, objects.len());
            let Some(kind) = *kind else { continue };
            let apply = Apply::new(app, *provider, kind, object_id, Scope::All);
            match apply.run(app, Mode::of(dry_run)).await {
                Ok(differences) => rebuilt.drift.add(differences),
                Err(error) => rebuilt.drift.add_failure(object_id, error),
            }
        }
        // This pass may have brought what others wait for.
        let waiting = store::waiting_objects(app.db.read()).await?;
        let before = std::mem::replace(&mut rebuilt.waiting, waiting.len());
        if dry_run || waiting.is_empty() || waiting.len() == before {
            break;
        }
        objects = waiting;
    }
    Ok(rebuilt)
}
