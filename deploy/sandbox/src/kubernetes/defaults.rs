//! Values that the API server fills in, as far as people or controllers look at them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::kinds::Kind;

/// Fills in defaults of a manifest that is about to be stored.
pub fn fill_in(kind: &Kind, object: &mut Value) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            default(&mut object["spec"]["finalizers"], json!(["kubernetes"]));
            default(&mut object["status"]["phase"], json!("Active"));
        }
        ("", "Secret") => {
            default(&mut object["type"], json!("Opaque"));
            let Some(fields) = object.as_object_mut() else { return };
            if let Some(Value::Object(texts)) = fields.shift_remove("stringData") {
                for (name, text) in texts {
                    object["data"][name] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
                }
            }
        }
        ("", "Service") => {
            default(&mut object["spec"]["type"], json!("ClusterIP"));
            for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
                default(&mut port["protocol"], json!("TCP"));
                let number = port["port"].clone();
                default(&mut port["targetPort"], number);
            }
        }
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") if object["spec"].is_object() => {
            default(&mut object["spec"]["replicas"], json!(1));
        }
        _ => {}
    }
}

fn default(field: &mut Value, value: Value) {
    if field.is_null() {
        *field = value;
    }
}
