import { useState } from "react";
import { setNamespace, useNamespace } from "./namespace";

const ANOTHER = "\u0000";

/** Takes one of the namespaces of these names, or one that is typed. */
export default function NamespaceChoice({ isMultiUser, names }: { isMultiUser: boolean; names: readonly string[] }) {
  const namespace = useNamespace();
  const [isTyped, setTyped] = useState(false);
  if (isTyped || (isMultiUser && names.length === 0)) {
    return <Typed namespace={namespace} onDone={() => setTyped(false)} />;
  }
  return (
    <select
      aria-label="Namespace"
      className="input"
      value={namespace}
      onChange={({ target }) => (target.value === ANOTHER ? setTyped(true) : setNamespace(target.value))}
    >
      {!isMultiUser && <option value="">All namespaces</option>}
      {namespace !== "" && !names.includes(namespace) && <option value={namespace}>{namespace} (not yours)</option>}
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
      {isMultiUser && <option value={ANOTHER}>Another…</option>}
    </select>
  );
}

function Typed({ namespace, onDone }: { namespace: string; onDone: () => void }) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setNamespace(String(new FormData(event.currentTarget).get("namespace") ?? "").trim());
        onDone();
      }}
    >
      <input
        name="namespace"
        aria-label="Namespace"
        className="input"
        placeholder="Namespace, then Enter"
        defaultValue={namespace}
        spellCheck={false}
        autoComplete="off"
      />
    </form>
  );
}
