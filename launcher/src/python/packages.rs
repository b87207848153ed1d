//! What a component installs: the `pip install` calls of its script, taken apart.

/// Options of `pip install` that take a value.
const VALUE_OPTIONS: [&str; 10] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--trusted-host",
    "-f",
    "--find-links",
    "-c",
    "--constraint",
    "-r",
    "--requirement",
];
/// Options that mean nothing for an environment of its own.
const DROPPED: [&str; 6] =
    ["-q", "--quiet", "--user", "--no-warn-script-location", "--disable-pip-version-check", "--break-system-packages"];
/// Longest script that is read.
const MAX_SCRIPT: usize = 1 << 20;

/// One `pip install`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PackageGroup {
    /// Options, with their values.
    pub options: Vec<String>,
    /// Requirements.
    pub requirements: Vec<String>,
}

impl PackageGroup {
    /// The SDK in whatever version, without what it needs to compile pipelines.
    pub fn sdk() -> PackageGroup {
        PackageGroup { options: vec!["--no-deps".to_owned()], requirements: vec!["kfp".to_owned()] }
    }

    /// Whether the SDK is among the requirements.
    pub fn names_sdk(&self) -> bool {
        self.requirements.iter().any(|requirement| is_sdk(requirement) || requirement.contains("kfp @"))
    }

    /// Replaces an exact version of the SDK.
    pub fn pin_sdk(&mut self, version: &str) {
        for requirement in self.requirements.iter_mut().filter(|requirement| is_sdk(requirement)) {
            *requirement = format!("kfp=={version}");
        }
    }
}

fn is_sdk(requirement: &str) -> bool {
    requirement.strip_prefix("kfp").is_some_and(|rest| {
        rest.is_empty() || rest.trim_start().starts_with(['=', '<', '>', '!', '~', '[', ';', ',', '@'])
    })
}

/// The `pip install` calls of a shell script. After `||` comes a second try of the same, which is left out.
pub fn parse_script(script: &str) -> Vec<PackageGroup> {
    let script = script.get(..script.len().min(MAX_SCRIPT)).unwrap_or_default();
    let words = shell_words(script);
    let mut groups = Vec::new();
    let mut alternative = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word {
            Word::Separator(separator) => alternative = *separator == "||",
            Word::Text(text) if text == "install" && at > 0 && is_pip(words.get(at - 1)) => {
                let (group, next) = read_group(&words, at + 1);
                if !alternative && !group.requirements.is_empty() {
                    groups.push(group);
                }
                at = next;
                continue;
            }
            Word::Text(_) => {}
        }
        at += 1;
    }
    groups
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Text(String),
    Separator(&'static str),
}

fn is_pip(word: Option<&Word>) -> bool {
    matches!(word, Some(Word::Text(text)) if text == "pip" || text == "pip3")
}

fn read_group(words: &[Word], from: usize) -> (PackageGroup, usize) {
    let mut group = PackageGroup::default();
    let mut at = from;
    while let Some(Word::Text(word)) = words.get(at) {
        at += 1;
        if DROPPED.contains(&word.as_str()) {
            continue;
        }
        if !word.starts_with('-') {
            group.requirements.push(word.clone());
            continue;
        }
        group.options.push(word.clone());
        if VALUE_OPTIONS.contains(&word.as_str())
            && let Some(Word::Text(value)) = words.get(at)
        {
            group.options.push(value.clone());
            at += 1;
        }
    }
    (group, at)
}

/// Splits a script into words and separators as a shell does. Variables and substitutions stay text.
fn shell_words(script: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = script.chars().peekable();
    let end = |word: &mut Option<String>, words: &mut Vec<Word>| words.extend(word.take().map(Word::Text));
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let text = word.get_or_insert_default();
                text.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let text = word.get_or_insert_default();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next()),
                        c => text.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            ' ' | '\t' | '\r' => end(&mut word, &mut words),
            '\n' | ';' | '(' | ')' => {
                end(&mut word, &mut words);
                words.push(Word::Separator(";"));
            }
            '&' | '|' => {
                end(&mut word, &mut words);
                let doubled = chars.next_if_eq(&c).is_some();
                words.push(Word::Separator(match (c, doubled) {
                    ('|', true) => "||",
                    ('&', true) => "&&",
                    _ => ";",
                }));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut words);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(options: &[&str], requirements: &[&str]) -> PackageGroup {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        PackageGroup { options: texts(options), requirements: texts(requirements) }
    }

    #[test]
    fn script_of_the_sdk_is_taken_apart() {
        let script = "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user \
                      || apt-get install python3-pip\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install \
                      --quiet --no-warn-script-location --index-url https://host/simple --trusted-host \
                      https://host/simple 'pandas' \"it's\"  &&  python3 -m pip install --quiet \
                      --no-warn-script-location 'kfp==2.17.0' '--no-deps' 'typing-extensions>=3.7.4,<5; \
                      python_version<\"3.9\"' && \"$0\" \"$@\"\n";
        let index = ["--index-url", "https://host/simple", "--trusted-host", "https://host/simple"];
        let sdk = ["kfp==2.17.0", "typing-extensions>=3.7.4,<5; python_version<\"3.9\""];
        assert_eq!(parse_script(script), [group(&index, &["pandas", "it's"]), group(&["--no-deps"], &sdk)]);
    }

    #[test]
    fn second_try_of_an_old_compiler_is_left_out() {
        let script = "(PIP_X=1 python3 -m pip install --quiet 'a==1' || PIP_X=1 python3 -m pip install --quiet \
                      'a==1' --user) && \"$0\" \"$@\"";
        assert_eq!(parse_script(script), [group(&[], &["a==1"])]);
    }

    #[test]
    fn virtual_environment_in_the_script_is_passed_over() {
        let script = "PIP=1 python3 -m pip install 'yapf'  &&  \nexport X=1\ntmp=$(mktemp -d)\npython3 -m venv \
                      \"$tmp/venv\" --system-site-packages\n. \"$tmp/venv/bin/activate\"\n python3 -m pip install \
                      'kfp==2.14.3' '--no-deps' && \"$0\" \"$@\"\n";
        assert_eq!(parse_script(script), [group(&[], &["yapf"]), group(&["--no-deps"], &["kfp==2.14.3"])]);
    }

    #[test]
    fn only_the_sdk_itself_is_the_sdk() {
        for (requirement, expected) in
            [("kfp", true), ("kfp==2.1", true), ("kfp[all]", true), ("kfp-kubernetes", false), ("kfpx==1", false)]
        {
            assert_eq!(group(&[], &[requirement]).names_sdk(), expected, "{requirement}");
        }
    }

    #[test]
    fn odd_scripts_end() {
        for script in ["", "'", "\"", "\\", "pip install", "pip install '", "a && || ; pip install -i"] {
            let _ = parse_script(script);
        }
    }
}
