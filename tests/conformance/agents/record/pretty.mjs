// JSON for reading: what fits in a line stands in one.
const WIDTH = 116;

const oneLine = (value) => {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (value && typeof value === "object") {
    const items = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${oneLine(one)}`);
    return items.length ? `{ ${items.join(", ")} }` : "{}";
  }
  return JSON.stringify(value);
};

export function prettied(value, indent = "", before = 0) {
  const line = oneLine(value);
  const outermost = indent === "";
  if (!value || typeof value !== "object" || (!outermost && indent.length + before + line.length <= WIDTH)) return line;
  const deeper = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((one) => prettied(one, deeper))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${prettied(one, deeper, key.length + 4)}`);
  const [open, shut] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}${shut}`;
}
