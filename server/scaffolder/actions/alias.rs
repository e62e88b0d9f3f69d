use std::sync::Arc;

use serde_json::Value;

use super::{ActionError, AnyAction, Context, Example, InputProblem, Unchecked};
use crate::scaffolder::Outside;

/// An action under another id.
pub struct Alias(pub &'static str, pub Arc<dyn AnyAction>);

#[async_trait::async_trait]
impl AnyAction for Alias {
    fn id(&self) -> &'static str {
        self.0
    }

    fn description(&self) -> &'static str {
        self.1.description()
    }

    /// They name the other id.
    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn supports_dry_run(&self) -> bool {
        self.1.supports_dry_run()
    }

    fn schemas(&self) -> (Value, Value) {
        self.1.schemas()
    }

    async fn run(&self, cx: &Context, input: Value) -> Result<Value, ActionError> {
        self.1.run(cx, input).await
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        self.1.precheck(outside, input).await
    }
}
