/** An element; attributes that are null or false are left out, texts are never markup. */
function element(tag, attributes = {}, ...children) {
  const space = SVG_TAGS.has(tag) ? 'http://www.w3.org/2000/svg' : 'http://www.w3.org/1999/xhtml';
  const made = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'value' || name === 'checked') {
      made[name] = value;
    } else if (value !== null && value !== false) {
      made.setAttribute(name, value === true ? '' : String(value));
    }
  }
  if (KEYED_TAGS.has(tag)) {
    made.dataset.lmSuppressShortcuts = 'true';
  }
  made.append(...children.flat(Infinity).filter(child => child !== null && child !== ''));
  return made;
}

const SVG_TAGS = new Set(['svg', 'path', 'line']);

/** What is pressed in these is no shortcut of the notebook's. */
const KEYED_TAGS = new Set(['button', 'input', 'select', 'textarea', 'summary', 'pre']);

/** A row of a view that says what became of the last thing a person did, or why nothing is heard. */
function note({ text, is_problem }) {
  return element('p', { class: `runai-note${is_problem ? ' runai-problem' : ''}`, role: is_problem ? 'alert' : 'status' }, text);
}

function button(name, label, title, isEnabled = true) {
  return element(
    'button',
    { type: 'button', class: 'runai-button', 'data-button': name, 'aria-label': title, 'aria-disabled': isEnabled ? null : 'true' },
    label
  );
}

/** Make the children of `shown` like `wanted`, keeping what is there already: focus and scrolling stay. */
function settle(shown, wanted) {
  const left = [...shown.childNodes];
  const kept = wanted.map(node => {
    const found = left.findIndex(old => old.nodeName === node.nodeName && keyOf(old) === keyOf(node));
    return found < 0 ? node : left.splice(found, 1)[0];
  });
  // What goes is taken out first: whatever stays is then in its place, and is not moved.
  left.forEach(node => node.remove());
  kept.forEach((node, place) => {
    if (node !== shown.childNodes[place]) {
      shown.insertBefore(node, shown.childNodes[place] ?? null);
    }
    if (node !== wanted[place]) {
      update(node, wanted[place]);
    }
  });
}

/** What tells siblings of one kind apart; without a key of its own, how one looks. */
function keyOf(node) {
  return node.dataset?.key ?? node.getAttribute?.('class') ?? null;
}

function update(old, node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) {
      old.data = node.data;
    }
    return;
  }
  settleAttributes(old, node);
  settle(old, [...node.childNodes]);
  settleValue(old, node);
}

function settleAttributes(old, node) {
  for (const { name } of [...old.attributes]) {
    // Whether a part is unfolded is the person's to say.
    if (!node.hasAttribute(name) && name !== 'open') {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
}

/** What somebody is typing is not overwritten by what they typed a moment ago. */
function settleValue(old, node) {
  if (!('value' in node) || old.tagName === 'LI' || old.getRootNode().activeElement === old) {
    return;
  }
  if (old.value !== node.value) {
    old.value = node.value;
  }
  if ('checked' in node && old.checked !== node.checked) {
    old.checked = node.checked;
  }
}

/** Scroll what follows its end there again, unless somebody has scrolled away from it. */
function keepingEnds(root, redraw) {
  const followers = [...root.querySelectorAll('[data-follow]')];
  const atEnd = followers.filter(one => one.scrollHeight - one.scrollTop - one.clientHeight < 8);
  redraw();
  const fresh = [...root.querySelectorAll('[data-follow]')].filter(one => !followers.includes(one));
  for (const one of [...atEnd, ...fresh]) {
    one.scrollTop = one.scrollHeight;
  }
}

function listen(model, root, signal) {
  const say = message => {
    // Without a kernel there is nobody to hear it.
    try {
      model.send(message);
    } catch {
      root.dataset.deaf = 'true';
    }
  };
  root.addEventListener(
    'click',
    event => {
      const pressed = event.target.closest('[data-button]');
      if (pressed !== null && pressed.getAttribute('aria-disabled') !== 'true') {
        say({ type: 'pressed', button: pressed.dataset.button });
      }
    },
    { signal }
  );
  root.addEventListener(
    'input',
    ({ target }) => {
      const { field } = target.dataset;
      if (field !== undefined) {
        say({ type: 'filled', field, value: target.type === 'checkbox' ? target.checked : target.value });
      }
    },
    { signal }
  );
  return say;
}

/** A widget that shows what `draw` makes of the state, and tells when a page begins and ends to show it. */
function live(draw) {
  return () => {
    const pages = new Set();
    return {
      render({ model, el }) {
        const ending = new AbortController();
        const root = element('div', { class: 'runai-widget' });
        el.append(root);
        const say = listen(model, root, ending.signal);
        const redraw = () => {
          const shown = model.get('shown');
          if (Object.keys(shown).length > 0) {
            keepingEnds(root, () => settle(root, [draw(shown)]));
          }
        };
        const answer = message => {
          if (message.type === 'roll_call') {
            say({ type: 'seen' });
          }
        };
        model.on('change:shown', redraw);
        model.on('msg:custom', answer);
        pages.add(root);
        say({ type: 'seen' });
        redraw();
        return () => {
          ending.abort();
          model.off('change:shown', redraw);
          model.off('msg:custom', answer);
          pages.delete(root);
          if (pages.size === 0) {
            say({ type: 'hidden' });
          }
        };
      }
    };
  };
}
