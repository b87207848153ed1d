//! Copies of pipelines in which something else stands in for what cannot be had: another version of the SDK, or an image
//! that the cluster has.

use std::collections::BTreeMap;

/// What a version of the SDK follows where a component installs it.
const SDK_PIN: &str = "kfp==";

/// The text with every pinned kfp replaced by another version.
pub fn pin_sdk(text: &str, version: &str) -> String {
    let mut parts = text.split(SDK_PIN);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        replaced += &format!("{SDK_PIN}{version}{rest}");
    }
    replaced
}

/// The text with images replaced by those that stand in for them, and what was replaced, such as `b in place of a`.
pub fn replace_images(text: &str, stand_ins: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let mut replaced = Vec::new();
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match image_of(line).and_then(|image| stand_ins.get_key_value(image)) {
            Some((image, stand_in)) => {
                let note = format!("{stand_in} in place of {image}");
                if !replaced.contains(&note) {
                    replaced.push(note);
                }
                lines += &line.replacen(image.as_str(), stand_in, 1);
            }
            None => lines += line,
        }
    }
    (lines, replaced)
}

/// The image that a line of YAML, or of JSON over several lines, names.
fn image_of(line: &str) -> Option<&str> {
    let line = line.trim().trim_end_matches(',');
    let value = line.strip_prefix("image:").or_else(|| line.strip_prefix("\"image\":"))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_sdk_is_replaced_and_nothing_else() {
        let text = "pip install 'kfp==2.14.3' 'yapf==1.0' && pip install 'kfp==2.1.3rc1'";
        let wanted = "pip install 'kfp==2.17.0' 'yapf==1.0' && pip install 'kfp==2.17.0'";
        assert_eq!(pin_sdk(text, "2.17.0"), wanted);
        assert_eq!(pin_sdk("nothing", "2.17.0"), "nothing");
    }

    #[test]
    fn images_are_replaced_where_they_are_named_as_such() {
        let stand_ins = BTreeMap::from([("alpine".to_owned(), "busybox:1.37".to_owned())]);
        let text = "a:\n  image: alpine\n  args: [alpine]\n  \"image\": \"alpine\",\n  image: alpine:3\n";
        let (text, replaced) = replace_images(text, &stand_ins);
        let wanted = "a:\n  image: busybox:1.37\n  args: [alpine]\n  \"image\": \"busybox:1.37\",\n  image: alpine:3\n";
        assert_eq!(text, wanted);
        assert_eq!(replaced, ["busybox:1.37 in place of alpine"]);
    }
}
