use super::*;

const SCRIPT: &str = "program_path=$(mktemp -d)\n\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\n\
    _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path \
    \"$program_path/ephemeral_component.py\"                         \"$@\"\n";
const INSTALL: &str = "\nPIP_X=1 python3 -m pip install --quiet 'kfp==2.17.0' '--no-deps' && \"$0\" \"$@\"\n";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn lightweight_component_is_recognized_with_and_without_installation() {
    let args = texts(&["--executor_input", "{{$}}", "--function_to_execute", "f"]);
    let whole = recognize(&texts(&["sh", "-c", INSTALL, "sh", "-ec", SCRIPT, "def f():\n    pass\n"]), &args);
    let whole = whole.expect("a component");
    let executor = whole.executor.expect("an executor");
    assert_eq!((executor.module.as_str(), executor.runtime), ("kfp.dsl.executor_main", true));
    assert_eq!((executor.source, executor.skip, whole.packages.len()), (Some(6), 7, 1));
    let bare = recognize(&texts(&["sh", "-ec", SCRIPT, "def f():\n    pass\n"]), &args).expect("a component");
    assert_eq!((bare.executor.and_then(|executor| executor.source), bare.packages.len()), (Some(3), 0));
}

#[test]
fn containerized_and_older_python_components_are_recognized() {
    let containerized = recognize(&texts(&["python3", "-m", "kfp.dsl.executor_main"]), &[]).expect("a component");
    assert!(containerized.executor.is_some_and(|executor| !executor.is_lightweight() && executor.skip == 3));
    let old = recognize(&texts(&["sh", "-c", INSTALL, "python3", "-u", "-c", "print(1)"]), &[]).expect("a component");
    assert_eq!((old.executor, old.skip), (None, 3));
}

#[test]
fn other_commands_are_no_python_components() {
    for command in [
        &["echo", "hi"][..],
        &["sh", "-c", "python3 x.py"],
        &["python3", "-c", "print(1)"],
        &["python3", "-m", "http.server"],
        &["sh", "-c", INSTALL, "make"],
        &["sh", "-c"],
        &[],
    ] {
        assert_eq!(recognize(&texts(command), &[]), None, "{command:?}");
    }
}

#[test]
fn optional_returns_are_told_from_others() {
    for (signature, expected) in [
        ("def f() -> Optional[str]:", true),
        ("def f(a: str = ')', b: Dict[str, int] = {}) -> typing.Optional[int]:", true),
        ("def f(\n    a: int,\n) -> Union[str, None]:", true),
        ("def f() -> str | None:", true),
        ("def f() -> str:", false),
        ("def f(a: Optional[str]) -> str:", false),
        ("def f(a: Optional[str]):", false),
        ("def ff() -> Optional[str]:", false),
        ("def f() -> NamedTuple('O', [('a', Optional[str])]):", false),
        ("def f(", false),
    ] {
        let source = format!("import kfp\n\n{signature}\n    pass\n");
        assert_eq!(returns_optional(&source, "f"), expected, "{signature}");
    }
}
