//! Recognising Python components by the shape that the SDK gives their command.
//!
//! - Lightweight: `sh -ec <script> <source>`, where the script writes the source to a file and runs the SDK's executor
//!   on it. Notebook components and embedded artifacts are sources like others.
//! - Containerised: `python3 -m kfp.dsl.executor_main`, which finds its source through `kfp_config.ini`.
//! - Any other Python program after an installation of packages, as compilers before 2.0 wrote.
//!
//! Each may follow `sh -c <script>`, where the script installs packages and then runs the rest.

use std::path::{Path, PathBuf};

use super::packages::{self, PackageGroup};

const EXECUTOR: &str = "executor_main";
const SOURCE_FILE: &str = "ephemeral_component.py";
const CONFIG_FILE: &str = "kfp_config.ini";

/// A Python component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Packages that it installs, in the order of installation.
    pub packages: Vec<PackageGroup>,
    /// How many elements of the command only install packages.
    pub skip: usize,
    /// The call of the SDK's executor; none for other programs.
    pub executor: Option<ExecutorCall>,
}

/// A call of the SDK's executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorCall {
    /// Module with the executor.
    pub module: String,
    /// Whether `_KFP_RUNTIME` is set for it: the SDK then loads only what a task needs.
    pub runtime: bool,
    /// Index in the command of the component's source; none for containerised components.
    pub source: Option<usize>,
    /// Elements of the command before the executor's own arguments.
    pub skip: usize,
    /// Whether the function may return `None` for its single output.
    pub returns_optional: bool,
}

impl ExecutorCall {
    /// Whether the component brings its source along.
    pub fn is_lightweight(&self) -> bool {
        self.source.is_some()
    }
}

/// Recognises a Python component.
pub fn recognize(command: &[String], args: &[String]) -> Option<Component> {
    let installs = |script: &String| script.contains("pip install") && script.contains("\"$0\" \"$@\"");
    let (packages, skip) = match command {
        [shell, flag, script, ..] if is_shell(shell) && flag == "-c" && installs(script) => {
            (packages::parse_script(script), 3)
        }
        _ => (Vec::new(), 0),
    };
    let rest = command.get(skip..)?;
    let executor = lightweight(rest, skip, args).or_else(|| containerized(rest, skip));
    let is_other = skip > 0 && rest.first().is_some_and(|program| is_python(program));
    (executor.is_some() || is_other).then_some(Component { packages, skip, executor })
}

fn is_shell(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sh" | "bash"))
}

fn is_python(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn lightweight(rest: &[String], skip: usize, args: &[String]) -> Option<ExecutorCall> {
    let [shell, flag, script, source, ..] = rest else { return None };
    if !is_shell(shell) || !flag.starts_with('-') || !flag.ends_with('c') || !script.contains(SOURCE_FILE) {
        return None;
    }
    let module = script.split_whitespace().find(|word| word.rsplit('.').next() == Some(EXECUTOR))?;
    Some(ExecutorCall {
        module: module.to_owned(),
        runtime: script.contains("_KFP_RUNTIME=true"),
        source: Some(skip + 3),
        skip: skip + 4,
        returns_optional: function(args).is_some_and(|name| returns_optional(source, name)),
    })
}

fn containerized(rest: &[String], skip: usize) -> Option<ExecutorCall> {
    let [program, flag, module, ..] = rest else { return None };
    let is_executor = is_python(program) && flag == "-m" && module.rsplit('.').next() == Some(EXECUTOR);
    is_executor.then(|| ExecutorCall {
        module: module.clone(),
        runtime: false,
        source: None,
        skip: skip + 3,
        returns_optional: false,
    })
}

/// The function that the arguments name.
fn function(args: &[String]) -> Option<&str> {
    let at = args.iter().position(|arg| arg == "--function_to_execute")?;
    args.get(at + 1).map(String::as_str)
}

/// Whether a function's return annotation admits `None`: `Optional[…]`, or `None` in a union.
fn returns_optional(source: &str, function: &str) -> bool {
    let Some(annotation) = return_annotation(source, function) else { return false };
    let annotation = annotation.trim();
    let last = annotation.rsplit('.').next().unwrap_or_default();
    annotation.split('|').any(|part| part.trim() == "None")
        || last.starts_with("Optional[")
        || annotation.starts_with("Optional[")
        || annotation.starts_with("typing.Optional[")
        || (annotation.contains("Union[") && annotation.contains("None"))
}

fn return_annotation<'a>(source: &'a str, function: &str) -> Option<&'a str> {
    let start = format!("def {function}(");
    let at = source.match_indices(&start).find_map(|(at, _)| {
        let line_start = source.get(..at)?.ends_with('\n') || at == 0 || source.get(..at)?.ends_with("async ");
        line_start.then_some(at + start.len())
    })?;
    let after = source.get(at..)?;
    let end = matching_parenthesis(after)?;
    let rest = after.get(end + 1..)?.trim_start().strip_prefix("->")?;
    let mut depth = 0_i32;
    for (index, c) in rest.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            ':' if depth == 0 => return rest.get(..index),
            _ => {}
        }
    }
    None
}

/// Where the parenthesis closes that was opened before the text. Strings among the defaults are skipped.
fn matching_parenthesis(text: &str) -> Option<usize> {
    let mut depth = 1_i32;
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// The directory that a containerised component runs in. An error is the reason why there is none.
pub fn component_dir(directory: Option<&Path>) -> Result<PathBuf, String> {
    let Some(directory) = directory else {
        return Err(
            "the component is a containerised Python component, whose source is in its image; run the pipeline \
                    from the directory that holds its kfp_config.ini, or on a cluster"
                .to_owned(),
        );
    };
    match directory.join(CONFIG_FILE).is_file() {
        true => Ok(directory.to_owned()),
        false => Err(format!(
            "the component is a containerised Python component, and there is no {CONFIG_FILE} in {}, the directory of \
             the pipeline file; `kfp component build` writes it",
            directory.display()
        )),
    }
}

#[cfg(test)]
mod tests;
