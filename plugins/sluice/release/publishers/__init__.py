"""Publishers: releases and reports shown in other services, too. All are off until a setting names where."""
