import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import style from "./Picker.module.css";

export interface Option {
  id: string;
  name: string;
  note?: string;
}

/** Chooses one of many by some letters of its name. The options follow what is typed. */
export function Picker({
  ids,
  chosen,
  options,
  isLoading,
  placeholder,
  onType,
  onChoose,
}: {
  /** Of the field around it. */
  ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true };
  chosen: string;
  options: readonly Option[];
  isLoading: boolean;
  placeholder: string;
  onType: (text: string) => void;
  onChoose: (option: Option) => void;
}) {
  const list = useId();
  const root = useRef<HTMLDivElement>(null);
  const [text, setText] = useState<string>();
  const [at, setAt] = useState(0);
  const isOpen = text !== undefined;
  const active = Math.min(at, options.length - 1);
  useEffect(() => {
    if (text === undefined) {
      return;
    }
    const timer = setTimeout(() => onType(text.trim()), 120);
    return () => clearTimeout(timer);
  }, [text, onType]);
  const choose = (option: Option | undefined) => {
    if (option) {
      onChoose(option);
      setText(undefined);
    }
  };
  const answer = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (!isOpen) {
        setText("");
      } else if (options.length > 0) {
        setAt((active + step + options.length) % options.length);
      }
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      choose(options[active]);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      setText(undefined);
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it closes when the focus leaves what is within
    <div
      ref={root}
      className={style.picker}
      onBlur={(event) => {
        if (!root.current?.contains(event.relatedTarget)) {
          setText(undefined);
        }
      }}
    >
      <input
        {...ids}
        className="input"
        role="combobox"
        autoComplete="off"
        aria-expanded={isOpen}
        aria-controls={list}
        aria-activedescendant={isOpen && options[active] ? `${list}-${active}` : undefined}
        placeholder={chosen || placeholder}
        value={text ?? chosen}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onClick={() => setText((before) => before ?? "")}
        onKeyDown={answer}
      />
      {isOpen && (
        <div id={list} role="listbox" className={style.options} tabIndex={-1}>
          {options.map((option, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the input above answers the keys
            <div
              key={option.id}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              className={style.option}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(option)}
            >
              <span className="ellipsis">{option.name}</span>
              {option.note && <span className="soft small">{option.note}</span>}
            </div>
          ))}
          {options.length === 0 && (
            <p className={style.nothing}>{isLoading ? "Looking…" : "Nothing is called that."}</p>
          )}
        </div>
      )}
    </div>
  );
}
