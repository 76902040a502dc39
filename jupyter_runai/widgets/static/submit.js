const NUMBERS = new Set(['integer', 'number']);
const AREAS = new Set(['pairs', 'counts']);

function drawControl(entry) {
  const { name, control, value, is_required, choices, ideas, least, most } = entry;
  const shared = { 'data-field': name, 'aria-required': is_required ? 'true' : null };
  if (control === 'flag') {
    return element('input', { ...shared, type: 'checkbox', checked: value });
  }
  if (control === 'choice') {
    const select = element(
      'select',
      { ...shared, class: 'runai-input' },
      choices.map(choice => element('option', { value: choice.value }, choice.label))
    );
    select.value = value;
    return select;
  }
  if (AREAS.has(control)) {
    return element('textarea', { ...shared, class: 'runai-input', rows: 2, spellcheck: 'false', value });
  }
  const type = NUMBERS.has(control) ? 'number' : 'text';
  const bounds = type === 'number' ? { min: least, max: most, step: control === 'integer' ? 1 : 'any' } : {};
  const list = ideas.length === 0 ? null : `runai-ideas-${name}`;
  return element('input', { ...shared, ...bounds, class: 'runai-input', type, list, spellcheck: 'false', value });
}

function drawEntry(entry) {
  const { name, label, ideas } = entry;
  return element(
    'label',
    { class: 'runai-entry', 'data-key': name },
    element('span', {}, label),
    drawControl(entry),
    ideas.length === 0
      ? null
      : element('datalist', { id: `runai-ideas-${name}` }, ideas.map(idea => element('option', { value: idea })))
  );
}

function drawSubmit({ title, entries, more_label, more, rows, is_current, button: submit, note: said }) {
  return element(
    'section',
    { class: 'runai-section', 'aria-label': title },
    element('h3', { class: 'runai-title' }, title),
    element('div', { class: 'runai-form' }, entries.map(drawEntry)),
    element(
      'details',
      {},
      element('summary', {}, more_label),
      element('div', { class: 'runai-form' }, more.map(drawEntry))
    ),
    drawRows(rows, is_current),
    element('div', { class: 'runai-actions' }, button('submit', submit, submit)),
    note(said)
  );
}

export default live(drawSubmit);
