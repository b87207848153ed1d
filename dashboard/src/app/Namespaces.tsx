import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect } from "react";
import { systemQuery } from "../api/system";
import { setNamespace, useNamespace } from "./namespace";
import { part } from "./part";

const NamespaceChoice = part(() => import("./NamespaceChoice"));

/** Of which namespace things are shown: one that the caller may look at, as the server tells, or one that they type. */
export function Namespaces() {
  const namespace = useNamespace();
  const system = useQuery(systemQuery(namespace));
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
  return (
    <Suspense>
      <NamespaceChoice isMultiUser={isMultiUser} names={names} />
    </Suspense>
  );
}
