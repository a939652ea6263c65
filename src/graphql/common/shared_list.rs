//! Lists in which an object may stand several times, such as `nodes` with equal ids.

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use futures_util::future::try_join_all;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

/// A list of objects, each resolved once, however many positions it has.
pub struct SharedList<T> {
    objects: Vec<T>,
    /// The index of the object at each position.
    positions: Vec<usize>,
}

impl<T> SharedList<T> {
    /// Creates a list from objects, and the index of the object at each position.
    pub fn new(objects: Vec<T>, positions: Vec<usize>) -> Self {
        SharedList { objects, positions }
    }
}

/// Returns the different keys in the order of their first positions, and the index in them for each position.
pub fn distinct<K: Eq + Hash>(keys: &[K]) -> (Vec<&K>, Vec<usize>) {
    let (mut found, mut index) = (Vec::new(), HashMap::new());
    let positions = keys.iter().map(|key| {
        *index.entry(key).or_insert_with(|| {
            found.push(key);
            found.len() - 1
        })
    });
    let positions = positions.collect();
    (found, positions)
}

impl<T: OutputType> OutputType for SharedList<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let resolving = self.objects.iter().enumerate().map(async |(index, object)| {
            // Errors name the first position.
            let position = self.positions.iter().position(|at| *at == index).unwrap_or_default();
            let ctx = ctx.with_index(position);
            object.resolve(&ctx, field).await.map_err(|error| ctx.set_error_path(error))
        });
        let resolved = try_join_all(resolving).await?;
        let values = self.positions.iter().map(|index| resolved.get(*index).cloned().unwrap_or_default());
        Ok(Value::List(values.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_share_an_object() {
        let cases: [(&[u8], &[u8], &[usize]); 4] =
            [(&[], &[], &[]), (&[7], &[7], &[0]), (&[7, 8, 7, 7], &[7, 8], &[0, 1, 0, 0]), (&[1, 2], &[1, 2], &[0, 1])];
        for (keys, found, positions) in cases {
            let expected: Vec<&u8> = found.iter().collect();
            assert_eq!(distinct(keys), (expected, positions.to_vec()));
        }
    }
}
