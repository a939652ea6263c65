//! Loaders: what the rows of one level ask for, in one statement.
//!
//! A loader waits until every resolver of a level has asked (two turns of the scheduler, no timer), and then reads for
//! all of them at once. Each operation has its own, so that nothing one caller saw is shown to another.

use crate::app::App;
use crate::auth::Viewer;
use crate::db::{self, ChildListing, PageArgs, Slice, Visible};
use crate::error::{Error, Result};
use dataloader::BatchFn;
use dataloader::cached::Loader;
use sea_orm::EntityTrait;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// How often a loader lets others go first before it reads; 2 is enough for all resolvers of a level.
const YIELDS: usize = 2;
/// More keys than any level can have.
const MOST_KEYS: usize = 1_000_000;

/// What a loader found: nothing, a value, or an error that all who asked share.
type Found<V> = Result<Option<V>, Arc<Error>>;

/// The model of a table.
pub type Row<E> = Arc<<E as EntityTrait>::Model>;

/// A way to read for many keys at once.
pub trait Batch: 'static {
    /// What is asked for.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What is found; cheap to clone.
    type Value: Clone + Send + Sync + 'static;

    /// Reads for all keys; a key without an answer is left out.
    fn load(
        app: &App,
        viewer: &Viewer,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// Runs one kind of batch for one caller.
struct Runner<B> {
    app: Arc<App>,
    viewer: Viewer,
    batch: PhantomData<fn() -> B>,
}

impl<B: Batch> BatchFn<B::Key, Found<B::Value>> for Runner<B> {
    async fn load(&mut self, keys: &[B::Key]) -> HashMap<B::Key, Found<B::Value>> {
        match B::load(&self.app, &self.viewer, keys).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
            Err(error) => {
                let error = Arc::new(error);
                keys.iter().map(|key| (key.clone(), Err(Arc::clone(&error)))).collect()
            }
        }
    }
}

type LoaderOf<B> = Loader<<B as Batch>::Key, Found<<B as Batch>::Value>, Runner<B>>;

/// The loaders of one operation, each made when it is first asked.
pub struct Loaders {
    app: Arc<App>,
    viewer: Viewer,
    made: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
}

impl Loaders {
    /// Loaders that see what `viewer` may see.
    pub fn new(app: Arc<App>, viewer: Viewer) -> Self {
        Loaders { app, viewer, made: Mutex::new(HashMap::new()) }
    }

    /// Whose loaders these are.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// What `B` finds for `key`.
    pub async fn load<B: Batch>(&self, key: B::Key) -> Found<B::Value> {
        let loader = self.loader::<B>();
        loader.try_load(key).await.map_err(|error| Arc::new(Error::internal(error)))?
    }

    /// The row of `E` with this id, if the viewer may see it.
    pub async fn row<E: Visible>(&self, id: Uuid) -> Found<Row<E>>
    where
        E::Model: Send + Sync,
    {
        self.load::<ById<E>>(id).await
    }

    fn loader<B: Batch>(&self) -> LoaderOf<B> {
        let mut made = self.made.lock().expect("no holder of this lock panics");
        let entry = made.entry(TypeId::of::<B>()).or_insert_with(|| {
            let runner = Runner::<B> { app: Arc::clone(&self.app), viewer: self.viewer.clone(), batch: PhantomData };
            let loader: LoaderOf<B> = Loader::new(runner).with_yield_count(YIELDS).with_max_batch_size(MOST_KEYS);
            Box::new(loader)
        });
        entry.downcast_ref::<LoaderOf<B>>().expect("the entry was made for this type").clone()
    }
}

/// Rows by their id.
pub struct ById<E>(PhantomData<fn() -> E>);

impl<E: Visible> Batch for ById<E>
where
    E::Model: Send + Sync,
{
    type Key = Uuid;
    type Value = Row<E>;

    async fn load(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<HashMap<Uuid, Row<E>>> {
        let rows = db::by_ids::<E>(app.db.read(), viewer, ids).await?;
        Ok(rows.into_iter().map(|(id, row)| (id, Arc::new(row))).collect())
    }
}

/// A list under a parent: which parent, of which kind, which list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Under<L: ChildListing, P = ()> {
    /// The parent's id.
    pub parent: Uuid,
    /// What kind of parent it is.
    pub of: L::Of,
    /// The list.
    pub list: L,
    /// Which page of it, where it has pages.
    pub page: P,
}

/// Keys with the same list and page, which one statement answers, by their parents.
fn grouped<L: ChildListing, P: Clone + Eq + Hash>(keys: &[Under<L, P>]) -> HashMap<(L::Of, &L, &P), Vec<Uuid>> {
    let mut groups: HashMap<_, Vec<Uuid>> = HashMap::new();
    for key in keys {
        groups.entry((key.of, &key.list, &key.page)).or_default().push(key.parent);
    }
    groups
}

/// A page of the list under each parent.
pub struct Pages<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Pages<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = Under<L, PageArgs>;
    type Value = Slice<Row<L::Entity>>;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, page), parents) in grouped(keys) {
            for (parent, slice) in db::page_each(app.db.read(), viewer, list, page, of, &parents).await? {
                let key = Under { parent, of, list: list.clone(), page: page.clone() };
                found.insert(key, slice.map(Arc::new));
            }
        }
        Ok(found)
    }
}

/// The whole list under each parent, where lists are short by nature.
pub struct Wholes<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Wholes<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = Under<L>;
    type Value = Arc<[Row<L::Entity>]>;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in grouped(keys) {
            for (parent, rows) in db::all_each(app.db.read(), viewer, list, of, &parents).await? {
                let key = Under { parent, of, list: list.clone(), page: () };
                found.insert(key, rows.into_iter().map(Arc::new).collect());
            }
        }
        Ok(found)
    }
}

/// How long the list under each parent is.
pub struct Counts<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Counts<L>
where
    L::Of: Debug,
{
    type Key = Under<L>;
    type Value = i64;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, i64>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in grouped(keys) {
            for (parent, count) in db::count_each(app.db.read(), viewer, list, of, &parents).await? {
                found.insert(Under { parent, of, list: list.clone(), page: () }, count);
            }
        }
        Ok(found)
    }
}
