import type { ReactNode } from "react";
import type { ParameterDefinition } from "../../api/penstock";
import { Button } from "../../design/Button";
import { Field } from "../../design/Field";
import {
  type Answers,
  formatted,
  isOptional,
  isStructure,
  type Problem,
  textOf,
  typeWords,
} from "../../model/parameters";
import style from "./NewRun.module.css";

type Change = (name: string, text: string | undefined) => void;

/** A control for each parameter that a pipeline takes. */
export function ParameterFields({
  parameters,
  answers,
  problems,
  onChange,
}: {
  parameters: readonly [string, ParameterDefinition][];
  answers: Answers;
  problems: readonly Problem[];
  onChange: Change;
}) {
  if (parameters.length === 0) {
    return <p className="soft">This pipeline takes no parameters.</p>;
  }
  return (
    <div className={style.parameters}>
      {parameters.map(([name, definition]) => (
        <Parameter
          key={name}
          name={name}
          definition={definition}
          text={answers[name]}
          error={problems.find((it) => it.parameter === name)?.reason}
          onChange={onChange}
        />
      ))}
    </div>
  );
}

function Parameter({
  name,
  definition,
  text,
  error,
  onChange,
}: {
  name: string;
  definition: ParameterDefinition;
  text: string | undefined;
  error: string | undefined;
  onChange: Change;
}) {
  const type = typeWords(definition);
  const byDefault = definition.defaultValue === undefined ? undefined : textOf(definition, definition.defaultValue);
  const hint: ReactNode = (
    <>
      {definition.description && <span>{definition.description} · </span>}
      {type}
      {text === undefined && isOptional(definition) && (
        <> · {byDefault === undefined ? "left out" : `default ${byDefault.slice(0, 200)}`}</>
      )}
    </>
  );
  return (
    <div className={style.parameter}>
      <Field label={<span className="mono">{name}</span>} hint={hint} error={error} required={!isOptional(definition)}>
        {(ids) => (
          <Control
            ids={ids}
            name={name}
            definition={definition}
            text={text}
            byDefault={byDefault}
            onText={(it) => onChange(name, it)}
          />
        )}
      </Field>
      {text !== undefined && isOptional(definition) && (
        <Button
          kind="quiet"
          icon="retry"
          label={`Leave ${name} to its default`}
          onClick={() => onChange(name, undefined)}
        />
      )}
    </div>
  );
}

function Control({
  ids,
  name,
  definition,
  text,
  byDefault,
  onText,
}: {
  ids: { id: string };
  name: string;
  definition: ParameterDefinition;
  text: string | undefined;
  byDefault: string | undefined;
  onText: (text: string | undefined) => void;
}) {
  const literals = definition.parameterType === "BOOLEAN" ? [true, false] : definition.literals;
  if (literals && literals.length > 0) {
    return (
      <select
        {...ids}
        className="input"
        value={text ?? ""}
        onChange={(event) => onText(event.target.value === "" ? undefined : event.target.value)}
      >
        <option value="">{byDefault === undefined ? "Choose" : `Default: ${byDefault}`}</option>
        {literals.map((literal) => {
          const word = textOf(definition, literal);
          return (
            <option key={word} value={word}>
              {word}
            </option>
          );
        })}
      </select>
    );
  }
  const common = {
    ...ids,
    className: "input",
    value: text ?? "",
    placeholder: byDefault ?? "",
    spellCheck: false,
  };
  if (isStructure(definition) || (text ?? byDefault ?? "").includes("\n")) {
    return (
      <>
        <textarea
          {...common}
          rows={rowsOf(text ?? byDefault ?? "")}
          onChange={(event) => onText(emptied(event.target.value, definition))}
        />
        <Helps
          name={name}
          text={text}
          byDefault={byDefault}
          laidOut={formatted(definition, text ?? "")}
          onText={onText}
        />
      </>
    );
  }
  const isNumber = definition.parameterType.startsWith("NUMBER");
  return (
    <input
      {...common}
      inputMode={isNumber ? "decimal" : "text"}
      onChange={(event) => onText(emptied(event.target.value, definition))}
    />
  );
}

/** Room for what is there, within reason. */
const rowsOf = (text: string) => Math.min(16, Math.max(4, text.split("\n").length + 1));

/** A default is changed from where it stands, not typed anew; and what is typed can be laid out. */
function Helps({
  name,
  text,
  byDefault,
  laidOut,
  onText,
}: {
  name: string;
  text: string | undefined;
  byDefault: string | undefined;
  laidOut: string | undefined;
  onText: (text: string) => void;
}) {
  const canBegin = !text && byDefault;
  if (!canBegin && laidOut === undefined) {
    return null;
  }
  return (
    <div className={style.helps}>
      {canBegin && (
        <Button icon="edit" aria-label={`Begin with the default of ${name}`} onClick={() => onText(byDefault)}>
          Begin with the default
        </Button>
      )}
      {laidOut !== undefined && (
        <Button aria-label={`Format ${name}`} onClick={() => onText(laidOut)}>
          Format
        </Button>
      )}
    </div>
  );
}

/** An empty text is a value of texts alone; of others it means that nothing is said. */
function emptied(text: string, definition: ParameterDefinition): string | undefined {
  return text === "" && definition.parameterType !== "STRING" ? undefined : text;
}
