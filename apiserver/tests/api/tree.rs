//! Where everything in a run stands, its specification, and single tasks.

use penstock_engine::Event;
use serde_json::{Value, json};

use crate::driven::{Driven, node, paths};

/// A task, a loop over what it gives, a task behind the loop, and one whose condition is false.
const PIPELINE: &str = r#"
pipelineInfo: {name: driven}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
components:
  comp-make:
    executorLabel: exec-make
    inputDefinitions:
      parameters:
        n: {parameterType: NUMBER_INTEGER}
        way: {parameterType: STRING, defaultValue: fast}
    outputDefinitions:
      parameters: {Output: {parameterType: LIST}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}
  comp-train:
    executorLabel: exec-train
    inputDefinitions:
      parameters: {x: {parameterType: NUMBER_INTEGER}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}
  comp-use: {executorLabel: exec-train}
  comp-loop:
    inputDefinitions:
      parameters:
        item: {parameterType: NUMBER_INTEGER}
        list: {parameterType: LIST}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}
    dag:
      tasks:
        train:
          componentRef: {name: comp-train}
          taskInfo: {name: Train}
          retryPolicy: {maxRetryCount: 1, backoffDuration: 60s}
          inputs:
            parameters: {x: {componentInputParameter: item}}
            artifacts: {data: {componentInputArtifact: data}}
root:
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER, defaultValue: 3}}}
  dag:
    tasks:
      make:
        componentRef: {name: comp-make}
        taskInfo: {name: make}
        inputs: {parameters: {n: {componentInputParameter: n}}}
      for-loop-1:
        componentRef: {name: comp-loop}
        taskInfo: {name: for-loop-1}
        dependentTasks: [make]
        iteratorPolicy: {parallelismLimit: 2}
        parameterIterator: {items: {inputParameter: list}, itemInput: item}
        inputs:
          parameters: {list: {taskOutputParameter: {producerTask: make, outputParameterKey: Output}}}
          artifacts: {data: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}}
      use: {componentRef: {name: comp-use}, taskInfo: {name: use}, dependentTasks: [for-loop-1]}
      never:
        componentRef: {name: comp-use}
        taskInfo: {name: never}
        triggerPolicy: {condition: "1 > 2"}
deploymentSpec:
  executors:
    exec-make:
      container:
        image: python:3.12
        command: [make, "--n={{$.inputs.parameters['n']}}", "--way={{$.inputs.parameters['way']}}"]
        args: ["{{$}}"]
        env: [{name: LEVEL, value: high}]
    exec-train: {container: {image: python:3.12, command: [train, "{{$.inputs.artifacts['data'].uri}}"]}}
"#;

fn made(items: &Value) -> Value {
    let data = json!({"id": uuid::Uuid::from_u128(5), "name": "data", "type": {"schemaTitle": "system.Dataset"},
                      "uri": "s3://b/data", "metadata": {"rows": 7}});
    json!({"parameters": {"Output": items}, "artifacts": {"data": [data]}})
}

/// A run whose loop has begun.
async fn looping(items: &Value) -> Driven {
    let mut driven = Driven::start(PIPELINE, &json!({}), json!({})).await;
    driven.succeed("make", made(items)).await;
    driven
}

#[tokio::test]
async fn a_tree_tells_where_everything_stands() {
    let driven = Driven::start(PIPELINE, &json!({}), json!({})).await;
    let tree = driven.tree("").await;
    assert_eq!(paths(&tree), ["", "make", "never", "for-loop-1", "use"]);
    assert_eq!((&tree["status"], &tree["seq"]), (&json!("RUNNING"), &json!(driven.state.fact_count())));
    let root = node(&tree, "");
    assert_eq!((&root["kind"], &root["name"], &root["node"]), (&json!("ROOT"), &json!("driven"), &json!(0)));
    assert_eq!(root["counts"], json!({"PENDING": 1, "RUNNING": 1, "SKIPPED": 1}));
    let make = node(&tree, "make");
    assert_eq!((&make["status"], &make["phase"]), (&json!("RUNNING"), &json!("RUNNING")));
    assert_eq!((&make["parent"], &make["component"]), (&json!(0), &json!("comp-make")));
    assert_eq!(make["started_at"], json!("2027-01-15T08:00:01Z"));
    let attempt = json!({"attempt": 0, "started_at": "2027-01-15T08:00:01Z", "has_log": true});
    assert_eq!((&make["attempts"], &make["log_attempt"]), (&json!([attempt]), &json!(0)));
    assert_eq!(node(&tree, "never")["skipped"], json!({"reason": "CONDITION", "condition": "1 > 2"}));
    let waits = node(&tree, "for-loop-1");
    assert_eq!((&waits["phase"], &waits["waiting_for"]), (&json!("WAITING"), &json!([make["node"]])));
    assert_eq!(waits["waiting_for"], waits["depends_on"]);
}

#[tokio::test]
async fn iterations_come_in_pages() {
    let mut driven = looping(&json!([1, 2, 3, 4])).await;
    driven.succeed("for-loop-1[0]/train", json!({})).await;
    let tree = driven.tree("").await;
    assert_eq!(paths(&tree), ["", "make", "never", "for-loop-1", "use"], "what is below loops is not in it");
    let of_loop = node(&tree, "for-loop-1");
    let counts = json!({"PENDING": 1, "RUNNING": 2, "SUCCEEDED": 1});
    assert_eq!((&of_loop["items"], &of_loop["counts"]), (&json!(4), &counts));
    // make, never, use, and three of the loop.
    assert_eq!(node(&tree, "")["counts"], json!({"PENDING": 1, "RUNNING": 2, "SKIPPED": 1, "SUCCEEDED": 2}));
    let page = |query: &str| format!("?node={}{query}", of_loop["node"]);
    let all = driven.tree(&page("")).await;
    assert_eq!(paths(&all), ["for-loop-1[0]", "for-loop-1[1]", "for-loop-1[2]"]);
    assert_eq!(all.get("next_from"), None);
    let first = driven.tree(&page("&limit=2")).await;
    assert_eq!((paths(&first).len(), &first["next_from"]), (2, &json!(2)));
    let rest = driven.tree(&page("&limit=2&from=2")).await;
    assert_eq!((paths(&rest), rest.get("next_from")), (vec!["for-loop-1[2]"], None));
    let running = driven.tree(&page("&status=RUNNING&limit=1")).await;
    assert_eq!((paths(&running), &running["next_from"]), (vec!["for-loop-1[1]"], &json!(2)));
    let iteration = node(&all, "for-loop-1[0]");
    assert_eq!((&iteration["iteration"], &iteration["counts"]), (&json!(0), &json!({"SUCCEEDED": 1})));
    let below = driven.tree(&format!("?node={}", iteration["node"])).await;
    assert_eq!(paths(&below), ["for-loop-1[0]", "for-loop-1[0]/train"]);
}

#[tokio::test]
async fn attempts_have_their_times_and_their_ends() {
    let mut driven = looping(&json!([1])).await;
    let train = "for-loop-1[0]/train";
    driven.fail(train).await;
    let query = format!("?node={}", driven.node(train).id.0);
    let waits = driven.tree(&query).await;
    let waits = node(&waits, train);
    assert_eq!((&waits["status"], &waits["phase"]), (&json!("PENDING"), &json!("BACKOFF")));
    assert_eq!(waits["failure"], json!({"cause": "USER", "message": "it broke"}));
    assert_eq!(waits["retry_at"], json!("2027-01-15T08:01:03Z"));
    driven.retry_tasks().await;
    driven.succeed(train, json!({})).await;
    let done = driven.tree(&query).await;
    let done = node(&done, train);
    let first = json!({"attempt": 0, "started_at": "2027-01-15T08:00:02Z", "ended_at": "2027-01-15T08:00:03Z",
                       "outcome": "FAILED", "failure": {"cause": "USER", "message": "it broke"},
                       "retry_at": "2027-01-15T08:01:03Z", "has_log": true});
    let second = json!({"attempt": 1, "started_at": "2027-01-15T08:00:04Z", "ended_at": "2027-01-15T08:00:05Z",
                        "outcome": "SUCCEEDED", "has_log": true});
    assert_eq!(done["attempts"], json!([first, second]));
    assert_eq!((&done["ready_at"], &done["started_at"]), (&first["started_at"], &first["started_at"]));
    assert_eq!((&done["ended_at"], &done["log_attempt"]), (&second["ended_at"], &json!(1)));
}

/// What is left over of an earlier start is neither shown nor counted.
#[tokio::test]
async fn a_run_that_goes_on_shows_its_present_start() {
    let mut driven = looping(&json!([1, 2, 3])).await;
    driven.succeed("for-loop-1[0]/train", json!({})).await;
    for index in [1, 2] {
        driven.fail(&format!("for-loop-1[{index}]/train")).await;
        driven.retry_tasks().await;
        driven.fail(&format!("for-loop-1[{index}]/train")).await;
    }
    let failed = driven.tree("").await;
    assert_eq!((&failed["status"], &node(&failed, "use")["status"]), (&json!("FAILED"), &json!("SKIPPED")));
    let skipped = json!({"reason": "UPSTREAM_FAILED", "task": "for-loop-1"});
    assert_eq!(node(&failed, "use")["skipped"], skipped);
    let of_loop = node(&failed, "for-loop-1");
    assert_eq!(of_loop["counts"], json!({"SUCCEEDED": 1, "FAILED": 2}));
    let then = driven.state.fact_count();
    driven.step(Event::Retry).await;
    let again = driven.tree("").await;
    assert_eq!((&again["status"], node(&again, "use").get("skipped")), (&json!("RUNNING"), None));
    assert_eq!(node(&again, "for-loop-1")["counts"], json!({"SUCCEEDED": 1, "RUNNING": 2}));
    let train = driven.get("tasks/for-loop-1%5B1%5D%2Ftrain").await.ok();
    let numbers: Vec<&Value> =
        train["attempts"].as_array().expect("attempts").iter().map(|attempt| &attempt["attempt"]).collect();
    assert_eq!(numbers, [&json!(0), &json!(1), &json!(2)]);
    assert_eq!(train["started_at"], train["attempts"][2]["started_at"]);
    // Looking back shows it as it was.
    assert_eq!(driven.tree(&format!("?at={then}")).await, failed);
}

#[tokio::test]
async fn a_run_is_shown_as_it_was() {
    let mut driven = looping(&json!([1])).await;
    let mut seen = vec![driven.tree("").await];
    driven.succeed("for-loop-1[0]/train", json!({})).await;
    seen.push(driven.tree("").await);
    driven.succeed("use", json!({})).await;
    seen.push(driven.tree("").await);
    // Forth, and back again.
    for tree in seen.iter().chain(seen.iter().rev()) {
        assert_eq!(driven.tree(&format!("?at={}", tree["seq"])).await, *tree);
    }
    let nothing = json!({"seq": 0, "status": "PENDING", "nodes": []});
    assert_eq!(driven.tree("?at=0").await, nothing);
    let text = driven.get("tree?at=1000").await.refused(400);
    assert!(text.contains("1000 were asked for"), "{text}");
}

#[tokio::test]
async fn a_task_is_told_of_in_full() {
    let driven = looping(&json!([5])).await;
    let make = driven.get("tasks/make").await.ok();
    assert_eq!(make["inputs"], json!({"parameters": {"n": 3, "way": "fast"}, "artifacts": {}}));
    assert_eq!(make["outputs"]["parameters"], json!({"Output": [5]}));
    let data = &make["outputs"]["artifacts"]["data"][0];
    assert_eq!((&data["uri"], &data["type"]), (&json!("s3://b/data"), &json!("system.Dataset")));
    assert_eq!(data["artifact_id"], json!(uuid::Uuid::from_u128(5)));
    assert_eq!(make["image"], json!("python:3.12"));
    assert_eq!(make["command"], json!(["make", "--n=3", "--way=fast", "{{$}}"]));
    assert_eq!((&make["env"], &make["pod_names"]), (&json!([{"name": "LEVEL", "value": "high"}]), &json!([])));
    let train = driven.get("tasks/for-loop-1%5B0%5D%2Ftrain").await.ok();
    assert_eq!(train["inputs"]["parameters"], json!({"x": 5}));
    assert_eq!(train["inputs"]["artifacts"]["data"], json!([data]));
    assert_eq!(train["command"], json!(["train", "s3://b/data"]));
    let id = train["task_id"].as_str().expect("an id");
    assert_eq!(driven.get(&format!("tasks/{id}")).await.ok(), train);
    // One that has not started is told of as its author declared it.
    let later = driven.get("tasks/use").await.ok();
    assert_eq!(later["command"], json!(["train", "{{$.inputs.artifacts['data'].uri}}"]));
    assert_eq!((&later["status"], &later["attempts"]), (&json!("PENDING"), &json!([])));
    let iteration = driven.get("tasks/for-loop-1%5B0%5D").await.ok();
    assert_eq!(iteration["inputs"]["parameters"], json!({"item": 5, "list": [5]}));
    assert_eq!((&iteration["command"], iteration.get("image")), (&json!([]), None));
    let text = driven.get("tasks/nothing").await.refused(404);
    assert!(text.contains("nothing"), "{text}");
}

#[tokio::test]
async fn attempts_that_are_pods_are_named() {
    let driven = Driven::start(PIPELINE, &json!({}), json!({"backend": "kubernetes"})).await;
    let make = driven.get("tasks/make").await.ok();
    let pod = make["attempts"][0]["pod_name"].as_str().expect("its name");
    assert!(pod.starts_with("driven-12345-"), "{pod}");
    assert_eq!(make["pod_names"], json!([pod]));
    assert_eq!(driven.get(&format!("tasks/{pod}")).await.ok(), make);
    let other = format!("{}-7", pod.rsplit_once('-').expect("an attempt").0);
    driven.get(&format!("tasks/{other}")).await.refused(404);
}

#[tokio::test]
async fn a_specification_comes_with_the_values_of_its_parameters() {
    let driven = Driven::start(PIPELINE, &json!({}), json!({})).await;
    let spec = driven.get("spec").await.ok();
    assert_eq!((&spec["text"], &spec["parameters"]), (&json!(PIPELINE), &json!({"n": 3})));
    assert_eq!(spec["pipeline_spec"]["root"]["dag"]["tasks"]["never"]["triggerPolicy"]["condition"], json!("1 > 2"));
    assert_eq!(spec.get("platform_spec"), None);
    let both =
        format!("{PIPELINE}---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{exec-make: {{}}}}}}}}}}\n");
    let driven = Driven::start(&both, &json!({"n": 4}), json!({})).await;
    let spec = driven.get("spec").await.ok();
    assert_eq!(spec["parameters"], json!({"n": 4}));
    assert!(spec["platform_spec"]["platforms"]["kubernetes"].is_object(), "{spec}");
    assert!(spec["pipeline_spec"]["root"].is_object(), "{spec}");
    // A run that has not started has what was given.
    let waits = driven.recorded.run;
    let spec = driven.recorded.get(&format!("/apis/penstock/v1/runs/{waits}/spec")).await.ok();
    assert_eq!(spec["parameters"], json!({}));
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused() {
    let driven = looping(&json!([1])).await;
    let of_loop = driven.node("for-loop-1").id.0;
    for (query, word) in [
        ("node=x", "node"),
        ("node=-1", "node"),
        ("at=-1", "at"),
        ("from=1", "iterations of a loop"),
        ("node=2&limit=5", "iterations of a loop"),
        (&format!("node={of_loop}&status=DONE"), "CANCELED"),
        (&format!("node={of_loop}&from=-5"), "from"),
    ] {
        let text = driven.get(&format!("tree?{query}")).await.refused(400);
        assert!(text.contains(word), "{query}: {text}");
    }
    assert!(driven.get("tree?node=4000").await.refused(404).contains("Node 4000 not found"));
    let path = format!("/apis/penstock/v1/runs/{}", uuid::Uuid::from_u128(3));
    for rest in ["tree", "spec", "tasks/make"] {
        driven.recorded.get(&format!("{path}/{rest}")).await.refused(404);
    }
    // Its only fact is none that a driver would write.
    let foreign = format!("/apis/penstock/v1/runs/{}/tree", driven.recorded.run);
    for _ in 0..2 {
        let answer = driven.recorded.get(&foreign).await;
        assert!(answer.status == 500 && answer.text.contains("is not understood"), "{answer:?}");
    }
}
