// Whether a pilot is really to be canceled.

import { ask, pathOf } from './ask.js';
import { h, plain } from './text.js';

const $ = (id) => document.getElementById(id);

export class Cancel {
  #key = ''; #say; #busy = false;

  constructor(say) {
    this.#say = say;
    $('cancel-no').addEventListener('click', () => $('cancel').close());
    $('cancel-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.#do();
    });
  }

  /** open asks; the browser gives the focus back to where it was. */
  open(key, name) {
    this.#key = key;
    $('cancel-text').replaceChildren(h('strong', { class: 'mono' }, plain(name)), ' is asked to end, and its payload with it. This cannot be taken back.');
    $('cancel-error').textContent = '';
    $('reason').value = '';
    $('cancel').showModal();
    $('cancel-no').focus();
  }

  async #do() {
    if (this.#busy) return;
    this.#busy = $('cancel-yes').disabled = true;
    try {
      await ask(`/api/pilots/${pathOf(this.#key)}/cancel`, { body: { reason: $('reason').value } });
      $('cancel').close();
      this.#say('Cancel asked');
    } catch (e) {
      $('cancel-error').textContent = e.message;
    } finally {
      this.#busy = $('cancel-yes').disabled = false;
    }
  }
}
