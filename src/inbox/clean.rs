//! What of the providers' objects is never written down.

use serde_json::Value;

/// Fields that let whoever reads them act for the customer, or that describe a card.
const SECRET: [&str; 5] = ["client_secret", "card", "payment_method_details", "ephemeral_key_secret", "secret"];

/// Takes out secrets and card data, and the one character that PostgreSQL cannot store, so that no event is refused for
/// ever because of it.
pub(super) fn clean(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => text.retain(|char| char != '\0'),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => {
            fields.retain(|name, _| !SECRET.contains(&name.as_str()));
            if fields.keys().any(|name| name.contains('\0')) {
                let renamed = std::mem::take(fields).into_iter().map(|(name, value)| (name.replace('\0', ""), value));
                *fields = renamed.collect();
            }
            fields.values_mut().for_each(clean);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_cards_and_nul_are_taken_out_wherever_they_stand() {
        let mut object = json!({
            "id": "pi_1", "client_secret": "pi_1_secret_x", "descri\0ption": "a\0b",
            "latest_charge": {"payment_method_details": {"card": {"last4": "4242"}}, "amount": 7},
            "payment_method_types": ["card"], "payments": [{"card": {"last4": "4242"}}],
        });
        clean(&mut object);
        let left = json!({
            "id": "pi_1", "description": "ab", "latest_charge": {"amount": 7}, "payment_method_types": ["card"],
            "payments": [{}],
        });
        assert_eq!(object, left);
    }
}
