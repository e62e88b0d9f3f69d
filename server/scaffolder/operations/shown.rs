//! What of a task's answers people see: not what was typed as a password.

use serde_json::Value;

use crate::scaffolder::Scaffolder;
use crate::scaffolder::engine::Redactor;
use crate::scaffolder::forms::Page;
use crate::scaffolder::model::TaskSpec;

/// What stands in the place of an answer, as on the review page.
const MASK: &str = "******";

impl Scaffolder {
    /// The answers with those masked that the template asks for as passwords, and what keeps them out of other texts.
    pub async fn shown_answers(&self, spec: &TaskSpec) -> (Value, Redactor) {
        let mut shown = spec.parameters.clone();
        let mut hidden = Vec::new();
        // Of a template that is gone nobody knows; its answers are shown to nobody else than before.
        if let Ok((_, template)) = self.template(&spec.template_info.entity_ref).await {
            for page in &template.parameters {
                let page = Page::read(page, &spec.parameters);
                for field in page.fields().filter(|field| field.is_masked()) {
                    let place = format!("/{}", field.path.replace('.', "/"));
                    if let Some(value) = shown.pointer_mut(&place) {
                        hidden.push(std::mem::replace(value, MASK.into()));
                    }
                }
            }
        }
        (shown, Redactor::new(&hidden.into()))
    }
}
