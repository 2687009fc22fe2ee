// How the operator's page writes times and numbers.
export const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
export const whole = (number) => number.toLocaleString("en");
export const fixed = (number, digits = 4) => (number === null || number === undefined ? "–" : number.toFixed(digits));
