//! CEL for conditions and selectors. The language comes from the `cel` crate; this module owns what KFP puts around it:
//! the variables, `parseJson`, numbers as doubles, and the bounds.
//!
//! Evaluation is total. Its cost is bounded before it starts: the text is capped, the depth of the expression is
//! capped, and the number of steps is estimated from the expression and the size of the values it can reach. CEL has
//! no loop other than its macros over lists and maps, so that estimate is an upper bound. A panic within the library
//! becomes an error.

mod budget;
mod convert;
mod stack;

use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Program};
use serde_json::Value;

use crate::executor::ExecutorInputs;
use crate::limits::Limits;
use crate::value;

/// Why an expression could not be read or evaluated.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CelError {
    #[error("the expression is empty")]
    Empty,
    #[error("the expression has {bytes} bytes, more than the {limit} that are allowed")]
    TooLong { bytes: usize, limit: usize },
    #[error("the expression nests or chains deeper than the {limit} levels that are allowed")]
    TooDeep { limit: usize },
    #[error("the expression {expression} is not CEL: {reason}")]
    Syntax { expression: String, reason: String },
    #[error("evaluating {expression} over values of this size takes about {steps} steps, more than {limit}")]
    TooExpensive { expression: String, steps: u64, limit: u64 },
    #[error("evaluating {expression} failed: {reason}")]
    Evaluation { expression: String, reason: String },
    #[error("{expression} gives a {kind}, but a condition must give a bool")]
    NotBool { expression: String, kind: &'static str },
    #[error("{expression} gives a {kind}, which is not a parameter value")]
    NotAValue { expression: String, kind: &'static str },
    #[error("{expression} made the evaluator fail; this is a fault of Penstock or of its CEL library")]
    Internal { expression: String },
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition of a trigger policy.
#[derive(Debug, Clone)]
pub struct Condition(Expression);

/// A `parameterExpressionSelector`.
#[derive(Debug, Clone)]
pub struct Selector(Expression);

impl Condition {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, CelError> {
        Expression::parse(text).map(Self)
    }

    /// The text of the condition.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Evaluates the condition over the resolved inputs of its task. The result must be a bool; a key that is missing
    /// is an error, not `false`.
    pub fn evaluate(&self, inputs: &ExecutorInputs) -> Result<bool, CelError> {
        let size = budget::Size::of_inputs(inputs);
        let result = self.0.evaluate(size, |context| {
            context.add_variable_from_value("inputs", convert::inputs(inputs));
        })?;
        match result {
            cel::Value::Bool(result) => Ok(result),
            other => Err(CelError::NotBool { expression: excerpt(&self.0.text), kind: convert::kind(&other) }),
        }
    }
}

impl Selector {
    /// Reads a selector.
    pub fn parse(text: &str) -> Result<Self, CelError> {
        Expression::parse(text).map(Self)
    }

    /// The text of the selector.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Evaluates the selector over a value; the result replaces the value.
    ///
    /// `string_value` is always there, as the value's text; `number_value`, `bool_value`, `struct_value` and
    /// `list_value` only for a value of that kind.
    pub fn evaluate(&self, value: &Value) -> Result<Value, CelError> {
        let size = budget::Size::of_value(value);
        let result = self.0.evaluate(size, |context| {
            context.add_variable_from_value("string_value", value::to_text(value));
            let name = match value {
                Value::Null | Value::String(_) => return,
                Value::Bool(_) => "bool_value",
                Value::Number(_) => "number_value",
                Value::Array(_) => "list_value",
                Value::Object(_) => "struct_value",
            };
            context.add_variable_from_value(name, convert::to_cel(value));
        })?;
        convert::from_cel(&result).map_err(|kind| CelError::NotAValue { expression: excerpt(&self.0.text), kind })
    }
}

/// A parsed expression with what is known about its cost.
#[derive(Debug, Clone)]
struct Expression {
    text: Arc<str>,
    program: Arc<Program>,
    shape: budget::Shape,
    shallow: bool,
}

impl Expression {
    fn parse(text: &str) -> Result<Self, CelError> {
        let limit = Limits::default().expression_bytes;
        if text.trim().is_empty() {
            return Err(CelError::Empty);
        }
        if text.len() > limit {
            return Err(CelError::TooLong { bytes: text.len(), limit });
        }
        let shallow = budget::check_depth(text)?;
        let compile = || ENVIRONMENT.compile(text).map_err(|errors| first_line(&errors.to_string()));
        let program = stack::run(shallow, compile)
            .map_err(|_| CelError::Internal { expression: excerpt(text) })?
            .map_err(|reason| CelError::Syntax { expression: excerpt(text), reason })?;
        let shape = budget::Shape::of(program.expression());
        Ok(Self { text: Arc::from(text), program: Arc::new(program), shape, shallow })
    }

    fn evaluate(
        &self,
        size: budget::Size,
        bind: impl FnOnce(&mut Context<'_, '_>) + Send,
    ) -> Result<cel::Value, CelError> {
        let steps = self.shape.steps(size);
        if steps > budget::MAX_STEPS {
            let expression = excerpt(&self.text);
            return Err(CelError::TooExpensive { expression, steps, limit: budget::MAX_STEPS });
        }
        let failed = |reason: String| CelError::Evaluation { expression: excerpt(&self.text), reason };
        let evaluation = stack::run(self.shallow, || {
            let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
            context.add_function("parseJson", parse_json).map_err(|error| error.to_string())?;
            bind(&mut context);
            self.program.execute(&context).map_err(|error| convert::error_text(&error))
        });
        evaluation.map_err(|_| CelError::Internal { expression: excerpt(&self.text) })?.map_err(failed)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the library passes arguments by value")]
fn parse_json(text: Arc<String>) -> Result<cel::Value, cel::ExecutionError> {
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| cel::ExecutionError::function_error("parseJson", format!("the text is not JSON: {error}")))?;
    Ok(convert::to_cel(&value))
}

fn excerpt(text: &str) -> String {
    const LENGTH: usize = 200;
    let mut short: String = text.chars().take(LENGTH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
