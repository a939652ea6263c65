//! Removes the parts of the providers' objects that are never stored.

use serde_json::Value;

/// Fields that let their reader act for the customer, or that describe a card.
const SECRET_FIELDS: [&str; 5] = ["client_secret", "card", "payment_method_details", "ephemeral_key_secret", "secret"];

/// Removes secrets, card data, and the NUL character, which PostgreSQL cannot store: an event with one would be refused
/// for ever.
pub(super) fn redact(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => text.retain(|char| char != '\0'),
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::Object(fields) => {
            fields.retain(|name, _| !SECRET_FIELDS.contains(&name.as_str()));
            if fields.keys().any(|name| name.contains('\0')) {
                let renamed = std::mem::take(fields).into_iter().map(|(name, value)| (name.replace('\0', ""), value));
                *fields = renamed.collect();
            }
            fields.values_mut().for_each(redact);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_cards_and_nul_are_removed_at_any_depth() {
        let mut object = json!({
            "id": "pi_1", "client_secret": "pi_1_secret_x", "descri\0ption": "a\0b",
            "latest_charge": {"payment_method_details": {"card": {"last4": "4242"}}, "amount": 7},
            "payment_method_types": ["card"], "payments": [{"card": {"last4": "4242"}}],
        });
        redact(&mut object);
        let left = json!({
            "id": "pi_1", "description": "ab", "latest_charge": {"amount": 7}, "payment_method_types": ["card"],
            "payments": [{}],
        });
        assert_eq!(object, left);
    }
}
