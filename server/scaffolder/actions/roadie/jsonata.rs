use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context as Bindings, Evaluator, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::actions::files::on_files;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};

/// `roadiehq:utils:jsonata`: the answer of a JSONata expression.
pub struct Jsonata;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// What the expression reads.
    data: Value,
    /// The expression.
    expression: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// What it answers; absent where it answers nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

#[async_trait::async_trait]
impl Action for Jsonata {
    const ID: &'static str = "roadiehq:utils:jsonata";
    const DESCRIPTION: &'static str = "Evaluates a JSONata expression over a value.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Sum up",
        example: "\
steps:
  - id: sum
    action: roadiehq:utils:jsonata
    input:
      data:
        items: [{price: 1.5, count: 2}, {price: 3, count: 1}]
      expression: $sum(items.(price * count))
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let result = on_files(cx, move |_| evaluate(&input.expression, &input.data)).await?;
        Ok(Output { result })
    }

    async fn precheck(&self, _: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        Ok(problems(input))
    }
}

/// Functions of npm `jsonata` 2 that the engine does not have; a test compares.
const LACKING: [&str; 1] = ["clone"];

/// What is wrong with the input's `expression`, told before the task begins.
pub fn problems(input: &Value) -> Vec<InputProblem> {
    let problem = problem(input).map(|reason| InputProblem {
        key: "expression",
        message: text!("The JSONata expression cannot be evaluated: {reason}", reason = reason),
    });
    problem.into_iter().collect()
}

/// Why the input's `expression` cannot be evaluated, for the template's author.
pub fn problem(input: &Value) -> Option<String> {
    check(input["expression"].as_str()?).err()
}

/// The expression's tree; an error where it is none, or needs what the engine lacks.
fn check(expression: &str) -> Result<AstNode, String> {
    let tree = parser::parse(expression).map_err(|error| error.to_string())?;
    let lacking = LACKING.iter().find(|name| {
        let call = format!("${name}");
        let is_own = expression
            .split(&call)
            .skip(1)
            .any(|after| after.trim_start().starts_with(":="));
        let is_called = expression
            .split(&call)
            .skip(1)
            .any(|after| after.trim_start().starts_with('('));
        is_called && !is_own
    });
    match lacking {
        Some(name) => Err(format!(
            "the portal has no function ${name}, which npm jsonata has; write it otherwise"
        )),
        None => Ok(tree),
    }
}

/// Five seconds and as deep as npm `jsonata` gets by default; a result of a few megabytes.
const TIME_MS: u64 = 5_000;
const DEPTH: usize = 200;
const LENGTH: usize = 1_000_000;
const RESULT: usize = 16 * 1024 * 1024;

/// What an expression answers; `None` for nothing. Blocks for five seconds at most.
pub fn evaluate(expression: &str, data: &Value) -> Result<Option<Value>, ActionError> {
    let wrong = |error: &dyn std::fmt::Display| {
        ActionError::Input(format!(
            "the JSONata expression {}: {error}",
            expression.chars().take(80).collect::<String>()
        ))
    };
    let tree = check(expression).map_err(|reason| wrong(&reason))?;
    let options = EvaluatorOptions {
        timeout_ms: Some(TIME_MS),
        max_stack_depth: Some(DEPTH),
        max_sequence_length: Some(LENGTH),
        ..EvaluatorOptions::default()
    };
    let data = JValue::from(data.clone());
    let answer = Evaluator::with_options(Bindings::new(), options)
        .evaluate(&tree, &data)
        .map_err(|error| wrong(&error))?;
    if answer.is_undefined() {
        return Ok(None);
    }
    let text = answer.to_json_string().map_err(|error| wrong(&error))?;
    if text.len() > RESULT {
        return Err(wrong(&format!(
            "its answer is longer than {} MiB",
            RESULT / 1024 / 1024
        )));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    /// All functions of npm `jsonata` 2.
    const FUNCTIONS: &str = "abs append assert average base64decode base64encode boolean ceil clone contains count \
        decodeUrl decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase \
        formatInteger formatNumber fromMillis join keys length lookup lowercase map match max merge millis min not now number \
        pad parseInteger power random reduce replace reverse round shuffle sift single sort split spread sqrt string \
        substring substringAfter substringBefore sum toMillis trim type uppercase zip";

    #[test]
    fn what_the_engine_lacks_is_known() {
        let known = |name: &str| {
            let tree = parser::parse(&format!("$type(${name})")).unwrap();
            let answer = Evaluator::new().evaluate(&tree, &JValue::from(json!({})));
            answer.is_ok_and(|answer| answer.to_json_string().is_ok_and(|text| text == "\"function\""))
        };
        let lacking: Vec<&str> = FUNCTIONS.split_whitespace().filter(|name| !known(name)).collect();
        assert_eq!(lacking, LACKING);
        for (expression, fine) in [
            ("$sum(a)", true),
            ("$clone($)", false),
            ("$clone ($)", false),
            ("($clone := function($x) { $x }; $clone(1))", true),
            ("$sum(", false),
        ] {
            assert_eq!(
                problems(&json!({"expression": expression})).is_empty(),
                fine,
                "{expression}"
            );
        }
        assert!(problems(&json!({})).is_empty());
    }

    /// Expression and what npm `jsonata` 2 answers over the first line's data; no answer is nothing.
    #[test]
    fn expressions_answer_what_the_npm_package_answers() {
        let mut lines = include_str!("jsonata_oracle.jsonl").lines();
        let data: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        for line in lines {
            let probe: Value = serde_json::from_str(line).unwrap();
            let expression = probe["expression"].as_str().unwrap();
            let answer = evaluate(expression, &data);
            if LACKING.iter().any(|name| expression.contains(&format!("${name}("))) {
                assert!(answer.is_err(), "{line} is known now: {answer:?}");
                continue;
            }
            match probe.get("error") {
                Some(_) => assert!(answer.is_err(), "{line}: {answer:?}"),
                None => assert_eq!(answer.unwrap().as_ref(), probe.get("result"), "{line}"),
            }
        }
    }

    #[tokio::test]
    async fn what_never_ends_is_stopped() {
        let endless = json!({"data": {}, "expression": "($f := function($x) { $f($x + 1) + 1 }; $f(1))"});
        let error = run(&Jsonata, &bench(&[]), endless).await.unwrap_err();
        assert!(error.to_string().starts_with("the JSONata expression ($f"), "{error}");
        let large = json!({"data": {}, "expression": "[1..9999999]"});
        assert!(run(&Jsonata, &bench(&[]), large).await.is_err());
    }
}
