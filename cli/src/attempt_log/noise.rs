//! What kfp and pip print into every log of a Python component, whatever the user's function does, and the way of every
//! traceback to that function. It is left out of the few lines that are shown of a log; the log itself keeps it. Only texts
//! that are known word for word are left out: what the user logs in a component has the same beginning as the executor's
//! own lines.

/// Beginnings of lines of pip.
const PIP: [&str; 5] = [
    "[notice] A new release of pip",
    "[notice] To update, run: ",
    "WARNING: Running pip as the 'root' user can result in broken permissions",
    "WARNING: You are using pip version ",
    "You should consider upgrading via the '",
];
/// How lines of the executor begin, and how long the time is that follows.
const EXECUTOR: &str = "[KFP Executor ";
const TIME: &str = "0000-00-00 00:00:00,000";
/// What the executor itself says.
const EXECUTOR_TEXTS: [&str; 5] = [
    "--component_module_path is not specified. Looking for component `",
    "Looking for component `",
    "Loading KFP component \"",
    "Did not write output file.",
    "Wrote executor output file to ",
];
/// Its input as JSON follows, over many lines.
const EXECUTOR_INPUT: &str = "Got executor_input:";
/// Warnings of Python about kfp, behind a place in a file. The line of source there follows.
const WARNINGS: [&str; 3] = [
    ": FutureWarning: KFP will drop support for Python ",
    ": FutureWarning: The default base_image used by the @dsl.component decorator will switch from ",
    ": RuntimeWarning: 'kfp.dsl.executor_main' found in sys.modules after import of package ",
];

/// Before the frames of a traceback, the outermost first.
const TRACEBACK: &str = "Traceback (most recent call last):";
const FRAME: &str = "  File \"";
/// Ends of the files by way of which a component's function is called.
const CALLERS: [&str; 2] = ["/kfp/dsl/executor_main.py", "/kfp/dsl/executor.py"];
/// Where Penstock's own interpreter is, which runs components in one process.
const INTERPRETER: &str = "/envs/interpreter/penstock-";

/// The lines that are not known to be noise.
pub(super) fn without_noise<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::with_capacity(lines.len());
    let mut rest = lines;
    while let Some((line, after)) = rest.split_first() {
        let count = noise(line, after);
        if count == 0 {
            kept.push(*line);
        }
        let frames = if *line == TRACEBACK { callers(after) } else { 0 };
        rest = rest.get(count.max(1) + frames..).unwrap_or_default();
    }
    kept
}

/// How many lines are noise from a line on, those after it included.
fn noise(line: &str, after: &[&str]) -> usize {
    let of_pip = |line: &str| PIP.iter().any(|text| line.starts_with(text));
    let next = after.first().copied().unwrap_or_default();
    if of_pip(line) || (line.is_empty() && of_pip(next)) {
        return 1;
    }
    if WARNINGS.iter().any(|text| line.contains(text)) {
        return 1 + usize::from(next.starts_with("  "));
    }
    match executor_text(line) {
        Some(text) if text.starts_with(EXECUTOR_INPUT) => 1 + executor_input(after),
        Some(text) => usize::from(EXECUTOR_TEXTS.iter().any(|known| text.starts_with(known))),
        None => 0,
    }
}

/// What a line in the executor's format says.
fn executor_text(line: &str) -> Option<&str> {
    let (time, text) = line.strip_prefix(EXECUTOR)?.split_once(" INFO]: ")?;
    let fits = |(character, form): (char, char)| character == form || (form == '0' && character.is_ascii_digit());
    (time.len() == TIME.len() && time.chars().zip(TIME.chars()).all(fits)).then_some(text)
}

/// Lines of an object that is printed with indentation; none where it does not look like one to its end.
fn executor_input(lines: &[&str]) -> usize {
    let is_inner = |line: &&&str| line.starts_with("    ");
    let inner = lines.iter().skip(1).take_while(is_inner).count();
    let has_ends = lines.first() == Some(&"{") && lines.get(1 + inner) == Some(&"}");
    if has_ends { inner + 2 } else { 0 }
}

/// Lines of the outermost frames by way of which every component is called; none where there are no others.
fn callers(lines: &[&str]) -> usize {
    let mut count = 0;
    while let Some(file) = lines.get(count).and_then(|line| line.strip_prefix(FRAME)?.split_once("\", line ")) {
        if !is_caller(file.0) {
            return count;
        }
        // The source, and marks below it.
        let rest = lines.iter().skip(count + 1);
        count += 1 + rest.take_while(|line| line.starts_with("    ")).count();
    }
    0
}

fn is_caller(file: &str) -> bool {
    let of_python = file == "<frozen runpy>" || (file.contains("/lib/python3") && file.ends_with("/runpy.py"));
    let of_kfp = CALLERS.iter().any(|caller| file.ends_with(caller));
    of_python || of_kfp || (file.contains(INTERPRETER) && file.ends_with(".py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(log: &str) -> Vec<&str> {
        without_noise(&log.lines().collect::<Vec<_>>())
    }

    #[test]
    fn what_kfp_and_pip_print_is_left_out() {
        let log = "\
before

[notice] A new release of pip is available: 23.2.1 -> 26.1
[notice] To update, run: pip install --upgrade pip
WARNING: Running pip as the 'root' user can result in broken permissions and conflicting behaviour with ...
<frozen importlib._bootstrap>:241: FutureWarning: KFP will drop support for Python 3.9 on October 1, 2026. To use ...
/usr/lib/python3.9/runpy.py:127: RuntimeWarning: 'kfp.dsl.executor_main' found in sys.modules after import of package ...
  warn(RuntimeWarning(msg))
[KFP Executor 2026-11-27 01:02:03,456 INFO]: Looking for component `train` in --component_module_path `/tmp/a/e.py`
[KFP Executor 2026-11-27 01:02:03,456 INFO]: Loading KFP component \"train\" from /tmp/a/e.py (directory ...)
[KFP Executor 2026-11-27 01:02:03,456 INFO]: Got executor_input:
{
    \"inputs\": {
        \"parameterValues\": {}
    },
    \"outputs\": {}
}
epoch 1
[KFP Executor 2026-11-27 01:02:03,456 INFO]: Did not write output file.
";
        assert_eq!(kept(log), ["before", "epoch 1"]);
    }

    #[test]
    fn what_the_user_says_stays_however_much_it_looks_alike() {
        let log = "\
[KFP Executor 2026-11-27 01:02:03,456 INFO]: Loading the data
[KFP Executor 2026-11-27 01:02:03,456 ERROR]: Did not write output file.
[KFP Executor today INFO]: Did not write output file.
/app/train.py:3: FutureWarning: this column goes away
  frame.column
WARNING: pip is not what you think

{
    \"a\": 1
}";
        assert_eq!(kept(log), log.lines().collect::<Vec<_>>());
    }

    #[test]
    fn traceback_begins_with_the_function_of_the_user() {
        let log = "\
Traceback (most recent call last):
  File \"/data/envs/interpreter/penstock-3ff619d079c9.py\", line 257, in <module>
    main()
  File \"<frozen runpy>\", line 88, in _run_code
  File \"/env/lib/python3.11/site-packages/kfp/dsl/executor_main.py\", line 101, in executor_main
    output_file = executor.execute()
                  ^^^^^^^^^^^^^^^^^^
  File \"/env/lib/python3.11/site-packages/kfp/dsl/executor.py\", line 453, in execute
    result = self.func(**func_kwargs)
  File \"/tmp/component/ephemeral_component.py\", line 10, in train
    raise ValueError('the loss is not a number')
ValueError: the loss is not a number";
        let own = [
            "Traceback (most recent call last):",
            "  File \"/tmp/component/ephemeral_component.py\", line 10, in train",
            "    raise ValueError('the loss is not a number')",
            "ValueError: the loss is not a number",
        ];
        assert_eq!(kept(log), own);
    }

    #[test]
    fn traceback_without_the_function_of_the_user_is_whole() {
        let log = "\
Traceback (most recent call last):
  File \"/env/lib/python3.11/site-packages/kfp/dsl/executor.py\", line 453, in execute
    raise TypeError('an output of another type')
TypeError: an output of another type";
        assert_eq!(kept(log), log.lines().collect::<Vec<_>>());
        assert_eq!(kept("Traceback (most recent call last):"), ["Traceback (most recent call last):"]);
    }

    #[test]
    fn input_that_does_not_end_takes_no_other_lines_with_it() {
        let log = "[KFP Executor 2026-11-27 01:02:03,456 INFO]: Got executor_input:\n{\n    \"inputs\": {\nepoch 1";
        assert_eq!(kept(log), ["{", "    \"inputs\": {", "epoch 1"]);
        assert_eq!(kept(""), Vec::<&str>::new());
    }
}
