//! Small pipelines made of shell commands, for faults and odd inputs: no Python is needed to run them.

use serde_json::{Map, Value, json};

/// A task that runs `sh -c SCRIPT`.
#[derive(Debug, Clone)]
#[must_use]
pub struct Task {
    name: String,
    image: String,
    resources: Option<Value>,
    command: Vec<String>,
    inputs: Vec<(String, &'static str, Value)>,
    outputs: Vec<(String, &'static str)>,
    artifacts: Vec<String>,
    input_artifacts: Vec<(String, String, String)>,
    after: Vec<String>,
    retries: Option<u32>,
    always: bool,
    items: Option<Value>,
    at_most: Option<u32>,
    caching: bool,
    deadline: Option<u64>,
    annotations: Map<String, Value>,
    settings: Map<String, Value>,
}

impl Task {
    /// A task with a script. Further arguments, such as placeholders, are `$1`, `$2`, ...
    pub fn new(name: &str, script: &str) -> Task {
        Task {
            name: name.to_owned(),
            image: "busybox:1.36".to_owned(),
            resources: None,
            command: ["sh", "-c", script, "sh"].map(str::to_owned).to_vec(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            artifacts: Vec::new(),
            input_artifacts: Vec::new(),
            after: Vec::new(),
            retries: None,
            always: false,
            items: None,
            at_most: None,
            caching: false,
            deadline: None,
            annotations: Map::new(),
            settings: Map::new(),
        }
    }

    /// The command in place of a script.
    pub fn command(mut self, command: &[&str]) -> Task {
        self.command = command.iter().map(|&part| part.to_owned()).collect();
        self
    }

    /// The image, for a cluster.
    pub fn image(mut self, image: &str) -> Task {
        self.image = image.to_owned();
        self
    }

    /// Requests and limits, as the specification spells them.
    pub fn resources(mut self, resources: Value) -> Task {
        self.resources = Some(resources);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: &str) -> Task {
        self.command.push(arg.to_owned());
        self
    }

    /// An input parameter; `value` is the source as the specification spells it.
    pub fn input_from(mut self, name: &str, parameter_type: &'static str, source: Value) -> Task {
        self.inputs.push((name.to_owned(), parameter_type, source));
        self
    }

    /// An input parameter with a fixed value.
    #[allow(clippy::needless_pass_by_value, reason = "callers write json!(...)")]
    pub fn input(self, name: &str, parameter_type: &'static str, value: Value) -> Task {
        self.input_from(name, parameter_type, json!({"runtimeValue": {"constant": value}}))
    }

    /// An input parameter that is the pipeline's of the same name.
    pub fn from_pipeline(self, name: &str, parameter_type: &'static str) -> Task {
        self.input_from(name, parameter_type, json!({"componentInputParameter": name}))
    }

    /// An output parameter, written to the file in the next argument.
    pub fn output(mut self, name: &str, parameter_type: &'static str) -> Task {
        self.outputs.push((name.to_owned(), parameter_type));
        self.arg(&format!("{{{{$.outputs.parameters['{name}'].output_file}}}}"))
    }

    /// An output artifact, written to the path in the next argument.
    pub fn artifact(mut self, name: &str) -> Task {
        self.artifacts.push(name.to_owned());
        self.arg(&format!("{{{{$.outputs.artifacts['{name}'].path}}}}"))
    }

    /// An input artifact from another task, at the path in the next argument.
    pub fn artifact_from(mut self, name: &str, task: &str, output: &str) -> Task {
        self.input_artifacts.push((name.to_owned(), task.to_owned(), output.to_owned()));
        self.after.push(task.to_owned());
        self.arg(&format!("{{{{$.inputs.artifacts['{name}'].path}}}}"))
    }

    /// Waits for another task.
    pub fn after(mut self, task: &str) -> Task {
        self.after.push(task.to_owned());
        self
    }

    /// Runs whether the tasks before it succeed or not.
    pub fn always(mut self) -> Task {
        self.always = true;
        self
    }

    /// Attempts after the first.
    pub fn retries(mut self, count: u32) -> Task {
        self.retries = Some(count);
        self
    }

    /// Runs once for each item of a source, as the input `item`.
    pub fn each(mut self, items: Value) -> Task {
        self.items = Some(items);
        self
    }

    /// Iterations of a loop that run at a time.
    pub fn at_most(mut self, count: u32) -> Task {
        self.at_most = Some(count);
        self
    }

    /// May be taken from the cache.
    pub fn cached(mut self) -> Task {
        self.caching = true;
        self
    }

    /// Seconds that an attempt may take.
    pub fn deadline(mut self, seconds: u64) -> Task {
        self.deadline = Some(seconds);
        self
    }

    /// An annotation of its Pod.
    pub fn annotation(mut self, key: &str, value: &str) -> Task {
        self.annotations.insert(key.to_owned(), json!(value));
        self
    }

    /// Settings for Kubernetes, as the platform specification spells them.
    #[allow(clippy::needless_pass_by_value, reason = "callers write json!(...)")]
    pub fn settings(mut self, settings: Value) -> Task {
        self.settings.extend(settings.as_object().cloned().unwrap_or_default());
        self
    }

    /// Its settings for Kubernetes.
    fn platform(&self) -> Map<String, Value> {
        let mut settings = self.settings.clone();
        if let Some(seconds) = self.deadline {
            settings.insert("activeDeadlineSeconds".to_owned(), json!(seconds.to_string()));
        }
        if !self.annotations.is_empty() {
            settings.insert("podMetadata".to_owned(), json!({"annotations": self.annotations}));
        }
        settings
    }

    fn component(&self) -> Value {
        let typed = |(name, parameter_type): (&String, &str)| (name.clone(), json!({"parameterType": parameter_type}));
        let artifact = |name: &String| {
            (name.clone(), json!({"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}))
        };
        let inputs: Map<_, _> = self.inputs.iter().map(|(name, kind, _)| typed((name, kind))).collect();
        let outputs: Map<_, _> = self.outputs.iter().map(|(name, kind)| typed((name, kind))).collect();
        let input_artifacts: Map<_, _> = self.input_artifacts.iter().map(|(name, ..)| artifact(name)).collect();
        let artifacts: Map<_, _> = self.artifacts.iter().map(artifact).collect();
        json!({
            "executorLabel": format!("exec-{}", self.name),
            "inputDefinitions": {"parameters": inputs, "artifacts": input_artifacts},
            "outputDefinitions": {"parameters": outputs, "artifacts": artifacts},
        })
    }

    fn task(&self) -> Value {
        // A loop hands the item over itself.
        let given = self.inputs.iter().filter(|(name, ..)| self.items.is_none() || name != "item");
        let parameters: Map<_, _> = given.map(|(name, _, source)| (name.clone(), source.clone())).collect();
        let artifacts: Map<_, _> = self
            .input_artifacts
            .iter()
            .map(|(name, task, output)| {
                let source = json!({"producerTask": task, "outputArtifactKey": output});
                (name.clone(), json!({"taskOutputArtifact": source}))
            })
            .collect();
        let mut task = json!({
            "componentRef": {"name": format!("comp-{}", self.name)},
            "taskInfo": {"name": self.name},
            "cachingOptions": {"enableCache": self.caching},
            "inputs": {"parameters": parameters, "artifacts": artifacts},
            "dependentTasks": self.after,
        });
        if let Some(retries) = self.retries {
            let policy = json!({"maxRetryCount": retries, "backoffDuration": "0s", "backoffFactor": 2.0});
            task["retryPolicy"] = policy;
        }
        if self.always {
            task["triggerPolicy"] = json!({"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"});
        }
        if let Some(items) = &self.items {
            task["parameterIterator"] = json!({"items": items, "itemInput": "item"});
        }
        if let Some(count) = self.at_most {
            task["iteratorPolicy"] = json!({"parallelismLimit": count});
        }
        task
    }
}

/// A pipeline of shell commands.
#[derive(Debug, Clone)]
#[must_use]
pub struct Pipeline {
    name: String,
    tasks: Vec<Task>,
    inputs: Vec<(String, &'static str)>,
    outputs: Vec<(String, &'static str, String, String)>,
}

impl Pipeline {
    /// A pipeline with tasks.
    pub fn new(name: &str, tasks: impl IntoIterator<Item = Task>) -> Pipeline {
        Pipeline { name: name.to_owned(), tasks: tasks.into_iter().collect(), inputs: Vec::new(), outputs: Vec::new() }
    }

    /// An input parameter.
    pub fn input(mut self, name: &str, parameter_type: &'static str) -> Pipeline {
        self.inputs.push((name.to_owned(), parameter_type));
        self
    }

    /// An output parameter that comes from a task's.
    pub fn output(mut self, name: &str, parameter_type: &'static str, task: &str, output: &str) -> Pipeline {
        self.outputs.push((name.to_owned(), parameter_type, task.to_owned(), output.to_owned()));
        self
    }

    /// The pipeline, and the settings for Kubernetes if a task has some.
    pub fn build(&self) -> Value {
        let pipeline = self.spec();
        let settings = self.tasks.iter().map(|task| (format!("exec-{}", task.name), task.platform()));
        let executors: Map<_, _> = settings
            .filter(|(_, settings)| !settings.is_empty())
            .map(|(label, settings)| (label, json!(settings)))
            .collect();
        if executors.is_empty() {
            return pipeline;
        }
        let platform = json!({"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}});
        json!({"pipeline_spec": pipeline, "platform_spec": platform})
    }

    fn spec(&self) -> Value {
        let components: Map<_, _> =
            self.tasks.iter().map(|task| (format!("comp-{}", task.name), task.component())).collect();
        let executors: Map<_, _> = self
            .tasks
            .iter()
            .map(|task| {
                let mut container = json!({"image": task.image, "command": task.command});
                if let Some(resources) = &task.resources {
                    container["resources"] = resources.clone();
                }
                (format!("exec-{}", task.name), json!({ "container": container }))
            })
            .collect();
        let tasks: Map<_, _> = self.tasks.iter().map(|task| (task.name.clone(), task.task())).collect();
        let inputs: Map<_, _> =
            self.inputs.iter().map(|(name, kind)| (name.clone(), json!({"parameterType": kind}))).collect();
        let definitions: Map<_, _> =
            self.outputs.iter().map(|(name, kind, ..)| (name.clone(), json!({"parameterType": kind}))).collect();
        let outputs: Map<_, _> = self
            .outputs
            .iter()
            .map(|(name, _, task, output)| {
                let selector = json!({"producerSubtask": task, "outputParameterKey": output});
                (name.clone(), json!({"valueFromParameter": selector}))
            })
            .collect();
        json!({
            "pipelineInfo": {"name": self.name},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "components": components,
            "deploymentSpec": {"executors": executors},
            "root": {
                "dag": {"tasks": tasks, "outputs": {"parameters": outputs}},
                "inputDefinitions": {"parameters": inputs},
                "outputDefinitions": {"parameters": definitions},
            },
        })
    }
}
