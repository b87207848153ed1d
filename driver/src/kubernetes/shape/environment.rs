//! Variables from secrets, config maps and fields of the Pod.

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector};
use penstock_spec::keys;

use super::Shaper;
use super::values::{Kind, ObjectName};

/// Variables that the Pod has whatever its settings say.
const KEPT: [&str; 5] =
    [keys::ENV_POD_NAME, keys::ENV_POD_UID, keys::ENV_RETRY_INDEX, keys::ENV_ENTRY_CA_BUNDLE, keys::ENV_ENTRY_HOLD];

impl Shaper<'_> {
    /// In KFP's order; of several of one name the last one counts.
    pub(super) fn environment(&mut self) -> Vec<EnvVar> {
        let mut variables = Vec::new();
        self.secret_variables(&mut variables);
        self.config_map_variables(&mut variables);
        for (index, entry) in self.config.field_path_as_env.iter().enumerate() {
            let field = format!("fieldPathAsEnv[{index}]");
            if entry.field_path.is_empty() {
                self.error(format!("{field}.fieldPath"), "it is empty: name a field such as metadata.name");
            }
            let selector =
                ObjectFieldSelector { field_path: entry.field_path.clone(), ..ObjectFieldSelector::default() };
            let source = EnvVarSource { field_ref: Some(selector), ..EnvVarSource::default() };
            self.variable(&format!("{field}.name"), &entry.name, source, &mut variables);
        }
        variables
    }

    fn secret_variables(&mut self, variables: &mut Vec<EnvVar>) {
        for (index, entry) in self.config.secret_as_env.iter().enumerate() {
            let field = format!("secretAsEnv[{index}]");
            let name = self.object_name(&format!("{field}.secretNameParameter"), entry.name().as_ref(), Kind::Secret);
            for (index, pair) in entry.key_to_env.iter().enumerate() {
                let field = format!("{field}.keyToEnv[{index}]");
                self.check_key(&format!("{field}.secretKey"), &pair.secret_key);
                let selector =
                    SecretKeySelector { name: known(&name), key: pair.secret_key.clone(), optional: entry.optional };
                let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
                self.variable_of(&name, &format!("{field}.envVar"), &pair.env_var, source, variables);
            }
        }
    }

    fn config_map_variables(&mut self, variables: &mut Vec<EnvVar>) {
        for (index, entry) in self.config.config_map_as_env.iter().enumerate() {
            let field = format!("configMapAsEnv[{index}]");
            let name =
                self.object_name(&format!("{field}.configMapNameParameter"), entry.name().as_ref(), Kind::ConfigMap);
            for (index, pair) in entry.key_to_env.iter().enumerate() {
                let field = format!("{field}.keyToEnv[{index}]");
                self.check_key(&format!("{field}.configMapKey"), &pair.config_map_key);
                let selector = ConfigMapKeySelector {
                    name: known(&name),
                    key: pair.config_map_key.clone(),
                    optional: entry.optional,
                };
                let source = EnvVarSource { config_map_key_ref: Some(selector), ..EnvVarSource::default() };
                self.variable_of(&name, &format!("{field}.envVar"), &pair.env_var, source, variables);
            }
        }
    }

    fn check_key(&mut self, field: &str, key: &str) {
        if key.is_empty() {
            self.error(field, "it is empty: name a key of the object");
        }
    }

    /// A variable from an object: it is left out with the object.
    fn variable_of(
        &mut self,
        object: &ObjectName,
        field: &str,
        name: &str,
        source: EnvVarSource,
        variables: &mut Vec<EnvVar>,
    ) {
        if *object == ObjectName::None {
            self.is_variable(field, name);
        } else {
            self.variable(field, name, source, variables);
        }
    }

    fn variable(&mut self, field: &str, name: &str, source: EnvVarSource, variables: &mut Vec<EnvVar>) {
        if !self.is_variable(field, name) {
            return;
        }
        if KEPT.contains(&name) {
            self.warnings.push(format!("{field}: the variable {name} is Penstock's own, and stays"));
            return;
        }
        let variable = EnvVar { name: name.to_owned(), value_from: Some(source), ..EnvVar::default() };
        if set_variable(variables, variable) {
            self.warnings.push(format!("{field}: the variable {name} is set more than once: the last one counts"));
        }
    }

    /// Whether a text can be the name of a variable.
    fn is_variable(&mut self, field: &str, name: &str) -> bool {
        let is_name = !name.is_empty() && !name.contains(['=', '\0']);
        if !is_name {
            self.error(field, format!("{name:?} is no name of a variable"));
        }
        is_name
    }
}

fn known(name: &ObjectName) -> String {
    match name {
        ObjectName::Known(name) => name.clone(),
        ObjectName::None | ObjectName::Later => String::new(),
    }
}

/// Sets a variable: as a whole, and where one of its name is, in its place, so that those behind it that refer to it get
/// the value that counts. Whether there was one.
pub(super) fn set_variable(variables: &mut Vec<EnvVar>, variable: EnvVar) -> bool {
    let Some(first) = variables.iter().position(|there| there.name == variable.name) else {
        variables.push(variable);
        return false;
    };
    let name = variable.name.clone();
    let mut index = 0;
    variables.retain(|there| {
        index += 1;
        index - 1 == first || there.name != name
    });
    if let Some(there) = variables.get_mut(first) {
        *there = variable;
    }
    true
}
