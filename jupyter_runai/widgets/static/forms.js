/** What is known of a submission, as rows of a name and a text; faint until it is about what is filled in. */
function drawRows(rows, isCurrent) {
  return element(
    'dl',
    { class: 'runai-rows', 'aria-live': 'polite', 'aria-busy': isCurrent ? 'false' : 'true' },
    rows.map(({ label, text }) => [element('dt', {}, label), element('dd', {}, text)])
  );
}
