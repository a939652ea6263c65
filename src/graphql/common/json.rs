//! The scalar for any JSON value, whose length counts: nothing else in the API is as long.

use super::loaders::Loaders;
use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaType, MetaTypeId, Registry};
use async_graphql::{
    ContextSelectionSet, InputType, InputValueError, InputValueResult, OutputType, Positioned, ServerResult, Value,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Any JSON value.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

impl OutputType for Json {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("JSON")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Json, _>(MetaTypeId::Scalar, |_| scalar())
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        let fits = ctx.data_unchecked::<Arc<Loaders>>().scheduler().deliver_bytes(length(&self.0));
        // The operation ends before this is shown.
        Ok(if fits { Value::from_json(self.0.clone()).unwrap_or_default() } else { Value::Null })
    }
}

impl InputType for Json {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("JSON")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_input_type::<Json, _>(MetaTypeId::Scalar, |_| scalar())
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let invalid = |error: serde_json::Error| InputValueError::custom(format!("Expected a JSON value: {error}."));
        value.unwrap_or_default().into_json().map(Json).map_err(invalid)
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

fn scalar() -> MetaType {
    MetaType::Scalar {
        name: "JSON".to_owned(),
        description: Some("Any JSON value.".to_owned()),
        is_valid: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        specified_by_url: Some("https://www.rfc-editor.org/rfc/rfc8259".to_owned()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// Returns about the number of bytes of a value as JSON.
fn length(value: &serde_json::Value) -> u64 {
    let bytes = match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => return items.iter().map(length).sum::<u64>().saturating_add(2),
        serde_json::Value::Object(fields) => {
            let names: usize = fields.keys().map(|name| name.len() + 4).sum();
            return fields.values().map(length).sum::<u64>().saturating_add(u64::try_from(names).unwrap_or(u64::MAX));
        }
        _ => 4,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
