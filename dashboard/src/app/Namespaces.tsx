import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { systemQuery } from "../api/system";
import { setNamespace, useNamespace } from "./namespace";

const ANOTHER = "\u0000";

/** Of which namespace things are shown: one that the caller may look at, as the server tells, or one that they type. */
export function Namespaces() {
  const namespace = useNamespace();
  const system = useQuery(systemQuery(namespace));
  const [isTyped, setTyped] = useState(false);
  const isMultiUser = system.data?.multi_user ?? false;
  const names = system.data?.namespaces ?? [];
  const first = names[0];
  // There is no list of everything where there are many users: something has to be chosen.
  useEffect(() => {
    if (isMultiUser && namespace === "" && first !== undefined) {
      setNamespace(first);
    }
  }, [isMultiUser, namespace, first]);
  if (!isMultiUser && names.length === 0) {
    return null;
  }
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
