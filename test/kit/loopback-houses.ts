// SPDX-License-Identifier: Apache-2.0

/** Houses in front of servers on loopback, and clients that are bare sockets: all gone at the end of a test. */

import { openHouse } from './house.ts';
import type { House, HouseOptions } from './house.ts';
import { Loopback } from './loopback.ts';
import { RawClient } from './raw-client.ts';

export class LoopbackHouses extends Loopback {
  /** A house in front of one server, which has the model `m`. */
  async house(url: string, options: Partial<HouseOptions> = {}): Promise<House> {
    const house = await openHouse({ servers: [{ url, models: ['m'] }], ...options });
    this.atEnd(() => house.close());
    return house;
  }

  connect(house: House): RawClient {
    const client = new RawClient(house.url);
    this.atEnd(() => client.destroy());
    return client;
  }
}
